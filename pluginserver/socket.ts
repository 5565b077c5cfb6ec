import { once } from "node:events";
import { lstatSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { connect, type Server } from "node:net";
import { dirname } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { checkFolders } from "./folders";
import type { Log } from "./log";

/** Linux takes no longer one (unix(7)), and libuv would cut it off without a word. */
const MAX_PATH = 107;

/** Connections that wait to be taken; the kernel makes it its own limit. Kong answers 500 beyond (Kong fact). */
const BACKLOG = 65_535;

/** The place of a server's socket in the file system. */
export interface Place {
	/** Whether the socket of another server is there, to which Kong connects from now on. */
	isTaken(): boolean;
	/** Gives the place up, if it is not taken, and takes the connections that were made so far, then no more. */
	leave(): Promise<void>;
}

/**
 * Listens on a unix socket that only those in `mode` can connect to, from its first moment on. The socket
 * takes its place in one step (rename(2)), so that no connection finds none: when Kong reloads, the old
 * plugin server ends the events it has, and new ones come here.
 *
 * @param mode permissions, e.g. `0o600`
 * @throws when the path is not a socket or too long, when its folder cannot be made, or when another user could put a
 * socket of their own there: Kong would send it the private key
 */
export async function listenOnSocket(
	server: Server,
	path: string,
	mode: number,
	log: Log,
): Promise<Place> {
	const temporary = `${path}.${process.pid}`;
	if (temporary.length > MAX_PATH)
		throw new Error(
			`${path} is longer than ${MAX_PATH - (temporary.length - path.length)} characters`,
		);
	makeFolder(dirname(path));
	checkFolders(path, log);
	const stats = lstatSync(path, { throwIfNoEntry: false });
	if (stats && !stats.isSocket()) throw new Error(`${path} is not a socket`);
	if (await isListening(path))
		log("warn", "taking over from another server", { socket: path });
	rmSync(temporary, { force: true });
	const listening = once(server, "listening");
	// The socket gets its mode when it is created, which is before this call returns.
	const umask = process.umask(0o777 & ~mode);
	try {
		server.listen({ path: temporary, backlog: BACKLOG });
	} finally {
		process.umask(umask);
	}
	await listening;
	const { ino } = lstatSync(temporary);
	renameSync(temporary, path);
	const inodeThere = () => lstatSync(path, { throwIfNoEntry: false })?.ino;
	// Node.js would remove it by the name it had; another server may have taken its place.
	const remove = () => {
		if (inodeThere() === ino) rmSync(path, { force: true });
	};
	server.once("close", remove);
	process.once("exit", remove);
	// A connection that could not be taken, for want of a file descriptor.
	server.on("error", ({ message }) =>
		log("error", "no connection", { error: message }),
	);
	return {
		isTaken: () => ![undefined, ino].includes(inodeThere()),
		async leave() {
			remove();
			await takeWaiting(server);
			server.close();
		},
	};
}

/** Resolves when no connection waits to be taken, of which Node.js takes one in each turn of its event loop. */
async function takeWaiting(server: Server): Promise<void> {
	let hasTaken = true;
	const note = () => {
		hasTaken = true;
	};
	server.on("connection", note);
	while (hasTaken) {
		hasTaken = false;
		// The second turn is a whole one.
		await turn();
		await turn();
	}
	server.off("connection", note);
}

/** Makes the folder itself, not those above it: Kong's prefix may be one that everybody can write to. */
function makeFolder(folder: string): void {
	try {
		mkdirSync(folder, 0o755);
	} catch (error) {
		const { code } = error as NodeJS.ErrnoException;
		if (code !== "EEXIST")
			throw new Error(`the folder ${folder} cannot be made: ${code}`);
	}
}

/** Whether a server takes connections on a unix socket. */
export function isListening(path: string): Promise<boolean> {
	return new Promise((resolve) => {
		const socket = connect(path);
		socket.once("connect", () => {
			socket.destroy();
			resolve(true);
		});
		// Any other error may be a live server's.
		socket.once("error", ({ code }: NodeJS.ErrnoException) =>
			resolve(code !== "ECONNREFUSED" && code !== "ENOENT"),
		);
	});
}
