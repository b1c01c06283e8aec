/* The rooms by name. */
#ifndef QASID_IPC_ROOMS_H
#define QASID_IPC_ROOMS_H

enum room_kind { ROOM_PARENT, ROOM_SMTPD, ROOM_POP3D, ROOM_AUTH, ROOM_KEYS, ROOM_STORE, ROOM_CLI, ROOM_KINDS };

#endif
