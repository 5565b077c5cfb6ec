import { once } from "node:events";
import { lstatSync, rmSync } from "node:fs";
import { connect, type Server } from "node:net";

/**
 * Listens on a unix socket that only those in `mode` can connect to, from its first moment on. The
 * socket of a server that is gone is replaced.
 *
 * @param mode permissions, e.g. `0o600`
 * @throws when another server listens there, or the path is no socket
 */
export async function listenOnSocket(
	server: Server,
	path: string,
	mode: number,
): Promise<void> {
	const stats = lstatSync(path, { throwIfNoEntry: false });
	if (stats && !stats.isSocket()) throw new Error(`${path} is not a socket`);
	if (stats && (await isListening(path)))
		throw new Error(`another server listens on ${path}`);
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
		socket.once("error", () => resolve(false));
	});
}
