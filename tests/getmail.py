# SPDX-License-Identifier: ISC
"""getmail, told how to wait for the child that writes a message.

getmail forks a child for each delivery, sets the handler of SIGCHLD behind the fork, and waits on a condition
that the handler notifies. Where the child ends before getmail waits, the notification is lost, and a minute
later getmail gives up ("waiting child pid N timed out"). waitpid() loses nothing."""
import os
import runpy
import shutil

from getmailcore import baseclasses

assert baseclasses.ForkingBase._prepare_child and baseclasses.ForkingBase._wait_for_child
baseclasses.ForkingBase._prepare_child = lambda self: None
baseclasses.ForkingBase._wait_for_child = lambda self, pid: os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
runpy.run_path(shutil.which("getmail"), run_name="__main__")
