import { once } from "node:events";
import { lstatSync, mkdirSync, rmSync, statSync } from "node:fs";
import { connect, type Server } from "node:net";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Log } from "./log";

/** Linux takes no longer one (unix(7)), and libuv would cut it off without a word. */
const MAX_PATH = 107;

/** Connections that wait to be taken; the kernel makes it its own limit. Kong answers 500 beyond (Kong fact). */
const BACKLOG = 65_535;

/**
 * Listens on a unix socket that only those in `mode` can connect to, from its first moment on. The
 * socket of a server that is gone is replaced. For the end of a server that is not it waits: when Kong
 * reloads, the old plugin server serves until the old workers are done.
 *
 * @param mode permissions, e.g. `0o600`
 * @throws when the path is no socket, too long, in a folder that cannot be made, or in one where anybody could put a socket of
 * their own: Kong would send it the private key
 */
export async function listenOnSocket(
	server: Server,
	path: string,
	mode: number,
	log: Log,
): Promise<void> {
	if (path.length > MAX_PATH)
		throw new Error(`${path} is longer than ${MAX_PATH} characters`);
	const folder = dirname(path);
	makeFolder(folder);
	const folderStats = statSync(folder);
	if (folderStats.mode & 0o002)
		throw new Error(
			`everybody can write to the folder of ${path}, and put another socket there; run: chmod o-w ${folder}`,
		);
	const stats = lstatSync(path, { throwIfNoEntry: false });
	if (stats && !stats.isSocket()) throw new Error(`${path} is not a socket`);
	if (await isListening(path))
		log("warn", "waiting: another server listens", { socket: path });
	while (await isListening(path)) await sleep(20);
	rmSync(path, { force: true });
	const umask = process.umask(0o777 & ~mode);
	server.listen({ path, backlog: BACKLOG });
	await once(server, "listening");
	process.umask(umask);
	// A connection that could not be taken, for want of a file descriptor.
	server.on("error", ({ message }) =>
		log("error", "no connection", { error: message }),
	);
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
