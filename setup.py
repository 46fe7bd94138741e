"""What ``setup.cfg`` cannot say: the wheel carries configs and tools.

``mim train tinyfaces CONFIG`` looks for both inside the installed
distribution, and the two mim lines look in different folders of
site-packages:

* openmim (and ``mmengine.hub``) in ``<import package>/.mim``;
* onedl-mim in the top-level folder of the first line of pip's ``RECORD``.
  pip sorts that file, and ``tinyfaces-<version>.dist-info`` sorts before
  ``tinyfaces/``, so the package's own ``.mim`` is never looked at.

The wheel therefore holds the files twice: in ``tinyfaces/.mim`` and in
``tinyfaces+mim``. ``+`` sorts before ``-``, and no import statement can name
that folder. Neither folder lies below the other, so each mim finds each
config once. An editable install needs no copy: onedl-mim then searches the
checkout itself.
"""
import atexit
import os
import shutil
import tempfile
from pathlib import Path

from setuptools import setup
from setuptools.command.build import build
from setuptools.command.build_py import build_py

MIM_FOLDERS = ('tinyfaces/.mim', 'tinyfaces+mim')
# Set-up, test and packing scripts serve a checkout only.
CHECKOUT_ONLY = ('_setup_env.py', '_offline_bundle.py', '_bundle_wheels.py')
LAUNCHERS = ('_launch.sh', 'dist_train.sh', 'dist_test.sh', 'slurm_train.sh',
             'slurm_test.sh', 'cross_validate_fddb.sh', 'dist_harvest.sh',
             'bootstrap_train.sh')


def mim_files() -> list[Path]:
    """Files for mim, relative to the repository root.

    Returns:
        list[Path]: ``model-index.yml``, every ``.py`` and ``.yml`` below
        ``configs/``, the ``.py`` below ``tools/`` and the launchers.
    """
    files = [Path('model-index.yml')]
    for suffix in ('py', 'yml'):
        files += Path('configs').rglob(f'*.{suffix}')
    files += (
        x for x in Path('tools').rglob('*.py') if x.name not in CHECKOUT_ONLY)
    files += [Path('tools', name) for name in LAUNCHERS]
    return sorted(files)


class BuildOutside(build):
    """Build in a temporary folder unless a build folder is asked for.

    A ``build/`` left in the checkout holds a second copy of every config;
    mim, which searches the whole checkout of an editable install, would then
    refuse each of them as ambiguous.
    """

    def initialize_options(self) -> None:
        """Replace the default ``build_base``."""
        super().initialize_options()
        self.build_base = tempfile.mkdtemp(prefix='tinyfaces-build-')
        atexit.register(shutil.rmtree, self.build_base, ignore_errors=True)


class BuildPyWithMim(build_py):
    """Add the files for mim to everything but editable installs."""

    def run(self) -> None:
        """Build the modules, then copy the files for mim."""
        super().run()
        if self.editable_mode:
            return
        for folder in MIM_FOLDERS:
            for file in mim_files():
                target = os.path.join(self.build_lib, folder, file)
                self.mkpath(os.path.dirname(target))
                self.copy_file(str(file), target)


setup(cmdclass={'build': BuildOutside, 'build_py': BuildPyWithMim})
