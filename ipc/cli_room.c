#include "ipc/cli_room.h"

CLI_ROOM_MESSAGES(IPC_DEFINE)
IPC_PAIR(ipc_cli_room, "cli-room", CLI_ROOM_MESSAGES);
