import { once } from "node:events";
import { existsSync, lstatSync, rmSync } from "node:fs";
import { connect, type Server } from "node:net";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Log } from "./log";

/** Linux takes no longer one (unix(7)), and libuv would cut it off without a word. */
const MAX_PATH = 107;

/**
 * Listens on a unix socket that only those in `mode` can connect to, from its first moment on. The
 * socket of a server that is gone is replaced. For the end of a server that is not it waits: when Kong
 * reloads, the old plugin server serves until the old workers are done.
 *
 * @param mode permissions, e.g. `0o600`
 * @throws when the path is no socket, too long, or in no folder
 */
export async function listenOnSocket(
	server: Server,
	path: string,
	mode: number,
	log: Log,
): Promise<void> {
	if (path.length > MAX_PATH)
		throw new Error(`${path} is longer than ${MAX_PATH} characters`);
	if (!existsSync(dirname(path)))
		throw new Error(`the folder of ${path} does not exist`);
	const stats = lstatSync(path, { throwIfNoEntry: false });
	if (stats && !stats.isSocket()) throw new Error(`${path} is not a socket`);
	if (await isListening(path))
		log("warn", "waiting: another server listens", { socket: path });
	while (await isListening(path)) await sleep(20);
	rmSync(path, { force: true });
	const umask = process.umask(0o777 & ~mode);
	server.listen(path);
	await once(server, "listening");
	process.umask(umask);
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
