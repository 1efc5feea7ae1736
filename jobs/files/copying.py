"""Copies of files and folders, as hard links where the disk has them. stdlib only."""

import os
import shutil
import stat
from contextlib import suppress
from pathlib import Path

from jobs.files.atomic_io import open_binary, sweep, temporary_name
from jobs.files.folders import make_folder, open_parent
from jobs.files.own_files import walk_files
from jobs.files.reading import open_regular

READ_BITS = stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH


def copy_file(source: Path, target: Path, *, sync: bool = True, beginning: bytes = b"") -> None:
    """Copy the content of a file; what has the target's name is replaced.

    ``beginning`` is written in place of as many bytes at the beginning of the content.

    Raises:
        UserError: ``path_is_link``: a link stands above the target; ``file_not_regular``: the source is a pipe or the
            like, which is not waited for.
        OSError: the source cannot be read, the disk is full, and the like.
    """
    with open_regular(source) as content, open_binary(target, sync=sync) as stream:
        stream.write(beginning)
        content.seek(len(beginning))
        shutil.copyfileobj(content, stream, 1 << 20)


def link_file(source: Path, target: Path) -> None:
    """Give a file a second name, or copy it; what has the target's name is replaced. Raises as ``copy_file``.

    A file that fewer may read than the target's folder is copied: a second name has the permissions of the first.
    """
    with open_parent(target) as (folder, name):
        if target.exists() and target.samefile(source):
            return  # to rename one hard link of a file to another does nothing and leaves both
        if os.fstat(folder).st_mode & READ_BITS & ~source.stat().st_mode:
            copy_file(source, target)
            return
        sweep(folder)
        temporary = temporary_name(name)
        try:
            os.link(source.resolve(), temporary, dst_dir_fd=folder)  # resolved: a model cache holds links
        except OSError:
            copy_file(source, target)
            return
        try:
            os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
        except FileNotFoundError:  # another process took it for a leftover: a link has no lock of its own
            copy_file(source, target)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=folder)
            raise


def link_tree(source: Path, target: Path) -> None:
    """Give the files of a folder second names below ``target``, or copy them; links are left out.

    Raises as ``copy_file``.
    """
    make_folder(target)
    for path in walk_files(source):
        if path.is_file() and not path.is_symlink():
            copy = target / path.relative_to(source)
            make_folder(copy.parent)
            link_file(path, copy)
