"""Wheels and source distributions of one module each, without a build."""
import base64
import csv
import hashlib
import io
import tarfile
import zipfile


def write_wheel(folder, name, version, tag='py3-none-any', requires=()):
    """Write a wheel of one module that holds its version."""
    info = f'{name}-{version}.dist-info'
    files = {
        f'{name}/__init__.py':
        f'__version__ = {version!r}\n',
        f'{info}/METADATA':
        f'Metadata-Version: 2.1\nName: {name}\n'
        f'Version: {version}\n' + ''.join(f'Requires-Dist: {x}\n'
                                          for x in requires),
        f'{info}/WHEEL':
        'Wheel-Version: 1.0\nGenerator: test\n'
        f'Root-Is-Purelib: true\nTag: {tag}\n',
    }
    record = io.StringIO()
    rows = csv.writer(record, lineterminator='\n')
    for path, text in files.items():
        digest = hashlib.sha256(text.encode()).digest()
        code = base64.urlsafe_b64encode(digest).rstrip(b'=').decode()
        rows.writerow([path, f'sha256={code}', len(text)])
    rows.writerow([f'{info}/RECORD', '', ''])
    files[f'{info}/RECORD'] = record.getvalue()
    with zipfile.ZipFile(folder / f'{name}-{version}-{tag}.whl', 'w') as file:
        for path, text in files.items():
            file.writestr(path, text)


def write_sdist(folder, name, version):
    """Write a source distribution of one module."""
    files = {
        'PKG-INFO': f'Metadata-Version: 2.1\nName: {name}\n'
        f'Version: {version}\n',
        'setup.py': 'from setuptools import setup\n'
        f'setup(name={name!r}, version={version!r}, py_modules=[{name!r}])\n',
        f'{name}.py': '',
    }
    with tarfile.open(folder / f'{name}-{version}.tar.gz', 'w:gz') as file:
        for path, text in files.items():
            member = tarfile.TarInfo(f'{name}-{version}/{path}')
            member.size = len(text)
            file.addfile(member, io.BytesIO(text.encode()))
