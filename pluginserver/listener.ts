import { createServer, type Server } from "node:net";
import { Connection } from "./connection";
import type { Log } from "./log";
import type { PluginServerRpc } from "./rpc";

/** The server of Kong's connections. Whatever is wrong with one of them harms no other. */
export function createListener(rpc: PluginServerRpc, log: Log): Server {
	return createServer((socket) => {
		new Connection(socket, rpc, log);
	});
}
