#include "ipc/parent_room.h"

PARENT_ROOM_MESSAGES(IPC_DEFINE)
IPC_PAIR(ipc_parent_room, "parent-room", PARENT_ROOM_MESSAGES);
