"""Peak memory of this process."""
import resource
import sys
from pathlib import Path


def peak_bytes() -> int:
    """Largest resident set of this process so far."""
    status = Path('/proc/self/status')
    if status.exists():  # ru_maxrss begins with the parent's peak there
        line = next(text for text in status.read_text().splitlines()
                    if text.startswith('VmHWM'))
        return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == 'darwin' else peak * 1024
