"""Model folders that anybody may have made: known names, regular files, inside the folder; headers before weights.

Libraries never see a stranger's folder. They get a private one with links to the known files and the documents as they
were checked, so they find no adapter, code, template or pickle beside the model. Light modules, except
``checked_loading``, which imports torch and transformers.
"""
