"""A forked child is like a fresh Python: its own environment, folder and output, and nothing of the project loaded."""

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from django.conf import settings
from django.test import SimpleTestCase

from databases.tests import production

REPORT = f"""
import json, os, sys
own = [name for name in sys.modules if name.partition(".")[0] in ({production.PACKAGE!r}, "databases", "layer_shop")]
print(json.dumps([dict(os.environ), os.getcwd(), sys.argv, sys.path[0], sys.stdin.read(), own, __name__]))
"""


class ZygoteTests(SimpleTestCase):
    def report(self, *words: str, project: Path, **environment: str) -> list:
        return json.loads(production.python(*words, project=project, **environment).stdout)

    def test_a_child_starts_as_a_fresh_python_does(self):
        with TemporaryDirectory() as folder:
            project = Path(folder).resolve()
            (project / "report.py").write_text(REPORT)
            for words in (["-c", REPORT], ["-m", "report", "word"], ["report.py", "word"]):
                with self.subTest(words):
                    environment, cwd, argv, path, stdin, own, name = self.report(*words, project=project, DEBUG="?")
                    self.assertEqual(environment, production._environment({"DEBUG": "?"}))
                    self.assertEqual((cwd, path, stdin, own, name), (str(project), str(project), "", [], "__main__"))
                    self.assertEqual(argv[1:], ["word"] if "word" in words else [])

    def test_the_exit_code_and_both_outputs_are_the_childs(self):
        for code, expected in (
            ("import sys; print('out'); sys.exit('err')", (1, "out\n", "err\n")),
            ("import sys; sys.exit(3)", (3, "", "")),
            ("import os; os.kill(os.getpid(), 9)", (-9, "", "")),
        ):
            process = production.python("-c", code)
            self.assertEqual((process.returncode, process.stdout, process.stderr), expected)
        self.assertIn("ZeroDivisionError", production.python("-c", "1 / 0").stderr)

    def test_a_path_in_the_environment_is_searched(self):
        with TemporaryDirectory() as folder:
            Path(folder, "layer_shop.py").touch()
            process = production.python("-c", "import layer_shop; print(layer_shop.__file__)", PYTHONPATH=folder)
        self.assertEqual(process.stdout.strip(), str(Path(folder, "layer_shop.py")))

    def test_two_children_run_at_the_same_time(self):
        one, two = production.Commands(), production.Commands()
        self.addCleanup(one.close)
        self.addCleanup(two.close)
        self.assertEqual([each.run("version").returncode for each in (two, one)], [0, 0])

    def test_it_is_this_python(self):
        process = production.python("-c", "import sys; print(sys.executable, sys.version)", project=settings.BASE_DIR)
        self.assertEqual(process.stdout, f"{sys.executable} {sys.version}\n")
