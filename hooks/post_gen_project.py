"""Remove what belongs to answers that were not chosen: by the table `_owned_paths` in `cookiecutter.json`.

It imports only what every Python start has loaded: `shutil`, `json` and `pathlib` would triple the time it takes.
"""

import os

UNCHOSEN = """{{ cookiecutter | unchosen_paths }}"""

# A copied folder has the mode of the template's, which may be read-only.
for folder, _, _ in os.walk("."):
    os.chmod(folder, os.stat(folder).st_mode | 0o200)
for path in UNCHOSEN.split("\n"):
    if os.path.isfile(path):
        os.remove(path)
    for folder, _, files in os.walk(path, topdown=False):
        for file in files:
            os.remove(os.path.join(folder, file))
        os.rmdir(folder)
# What runs is a rendered copy that cookiecutter leaves among the temporary files.
os.remove(__file__)

name = os.path.basename(os.getcwd())
print(f"{name} is ready. Next: `cd {name}`, then `make run` or `make test`; its README.md explains the rest.")
