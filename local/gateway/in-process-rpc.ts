import { readFileSync } from "node:fs";
import { join } from "node:path";
import { kongEntityFields } from "../../schema/kong";
import { Name } from "../../schema/name";
import { packageRoot } from "../../schema/package-root";
import { type InProcess, inProcess } from "../lua/in-process";
import type { Log } from "./log";
import { callPdk } from "./pdk";
import { InstanceLost, type PluginRpc } from "./plugin-rpc";
import type { PluginInfo } from "./plugin-server";
import type { Exit, GatewayRequest } from "./request";

/** The plugin in the gateway's own process: the built `handler.lua`, called as Kong calls Lua plugins. */
export class InProcessRpc implements PluginRpc {
	readonly failsOpen = false;
	/** Configurations by the ids that stand for them. */
	readonly #entries = new Map<number, { bind_request?: boolean }>();
	#nextId = 1;

	private constructor(
		readonly handler: InProcess,
		readonly log: Log,
	) {}

	/** Loads what `npm run build` wrote. */
	static async load(log: Log): Promise<InProcessRpc> {
		const file = join(packageRoot(), "dist/lua/handler.lua");
		return new InProcessRpc(await inProcess(readFileSync(file, "utf8")), log);
	}

	/** What a plugin server's dump says of its plugin. */
	get info(): PluginInfo {
		const { priority, version } = this.handler;
		return {
			Name,
			Version: version,
			Phases: ["access"],
			Priority: priority,
			Schema: {
				name: Name,
				fields: kongEntityFields as unknown as PluginInfo["Schema"]["fields"],
			},
		};
	}

	async startInstance(_name: string, config: string): Promise<number> {
		const id = this.#nextId++;
		this.#entries.set(id, JSON.parse(config));
		return id;
	}

	async closeInstance(id: number): Promise<void> {
		this.#entries.delete(id);
	}

	async handleEvent(
		instanceId: number,
		request: GatewayRequest,
	): Promise<Exit | undefined> {
		const entry = this.#entries.get(instanceId);
		if (!entry) throw new InstanceLost(`no plugin entry ${instanceId}`);
		// The handler cannot wait, as Kong's coroutines do.
		if (entry.bind_request) await request.readBody();
		let exit: Exit | undefined;
		this.handler.access(entry, (method, args) => {
			const outcome = callPdk(request, method, args, this.log);
			if ("exit" in outcome) exit = outcome.exit;
			return "exit" in outcome ? undefined : outcome.result;
		});
		return exit;
	}

	close(): void {}
}
