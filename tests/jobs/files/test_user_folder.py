from __future__ import annotations

from pathlib import Path

import pytest

from jobs.errors import UserError
from jobs.files.user_folder import expand_user
from jobs.settings import Settings


def test_a_tilde_is_the_home_folder_of_a_user_and_an_unknown_user_is_an_error_of_the_input(tmp_path: Path) -> None:
    assert expand_user("~/books") == Path.home() / "books"
    assert expand_user("books/~") == Path("books/~")
    with pytest.raises(UserError) as refused:
        expand_user("~nosuchuser/token")
    assert refused.value.code == "path_unusable"
    with pytest.raises(UserError) as refused:
        Settings.from_environment(cwd=tmp_path, environ={"TTS_TRAIN_HOME": "~nosuchuser/home"})
    assert refused.value.code == "path_unusable"
