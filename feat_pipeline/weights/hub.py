"""Whether a hub of weights can be reached."""

from __future__ import annotations

import threading

#: Seconds that the hub has to answer at all before a download is begun.
PATIENCE_S = 1.5


def reachable(url: str, patience_s: float = PATIENCE_S) -> str:
    """Ask a server for any answer, and return why there is none; '' where there is one.

    Parameters
    ----------
    url : str
    patience_s : float
        Seconds to wait, name look-up and all.
    """
    import urllib.error
    import urllib.request

    answer: list[str] = []

    def ask() -> None:
        try:
            urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=patience_s).close()
        except urllib.error.HTTPError:
            answer.append("")
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            answer.append(str(getattr(reason, "strerror", None) or reason) or type(error).__name__)
        else:
            answer.append("")

    # The look-up of a name has no limit of its own, so the thread is left behind where it hangs.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(patience_s)
    return answer[0] if answer else f"no answer within {patience_s:g} s"
