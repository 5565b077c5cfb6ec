import { Name, Priority, Version } from "../plugins/x-custom-jwt";
import { kongEntityFields } from "../schema/kong";
import { Events, type Request } from "./events";
import { type Instance, Instances } from "./instances";
import type { Log } from "./log";

/** A request that is answered with an error; the text is for Kong's log. */
export class RpcError extends Error {}

/** A request that takes any result. */
export interface RpcRequest extends Request {
	respond(result: unknown): void;
}

/** The phases of the plugin (Kong: a plugin server tells them). */
const PHASES = ["access"];

/** What Kong's query command wants: the one plugin of this server (Kong: process.lua). */
export function pluginInfo() {
	return {
		Name,
		Version,
		Phases: PHASES,
		Priority,
		Schema: { name: Name, fields: kongEntityFields },
	};
}

/** The methods of Kong's RPC with a plugin server, on one set of instances and events. */
export class PluginServerRpc {
	readonly instances: Instances;
	readonly events: Events;
	readonly #loadTime = Date.now() / 1000;

	constructor(log: Log) {
		this.instances = new Instances(log);
		this.events = new Events(log);
	}

	/**
	 * Answers one of Kong's requests, now or when the plugin is ready.
	 *
	 * @param method with its namespace, e.g. `plugin.HandleEvent`
	 * @throws with the text Kong is to get
	 */
	call(method: string, argument: unknown, request: RpcRequest): void {
		const members = (
			typeof argument === "object" && argument !== null ? argument : {}
		) as Record<string, unknown>;
		if (method === "plugin.HandleEvent") this.#handleEvent(members, request);
		else if (method === "plugin.StepError")
			this.events.step(members.EventId, request, [undefined, members.Data]);
		// One method for each kind of result, all alike in JavaScript (Kong: mp_rpc.lua).
		else if (method.startsWith("plugin.Step"))
			this.events.step(members.EventId, request, [members.Data, undefined]);
		else request.respond(this.#result(method, argument, members));
	}

	#result(
		method: string,
		argument: unknown,
		members: Record<string, unknown>,
	): unknown {
		switch (method) {
			case "plugin.StartInstance":
				return this.#startInstance(members);
			case "plugin.InstanceStatus":
				return status(this.instances.get(argument));
			case "plugin.CloseInstance":
				return status(this.instances.close(argument));
			case "plugin.GetPluginInfo":
				return pluginInfo();
			case "plugin.GetStatus":
				return this.#status();
			default:
				throw new RpcError(`method ${method} not implemented`);
		}
	}

	#startInstance({ Name: name, Config: text }: Record<string, unknown>) {
		if (name !== Name) throw new RpcError(`${name} is not the plugin ${Name}`);
		let config: Record<string, unknown>;
		try {
			config = JSON.parse(String(text));
		} catch {
			// V8's message would quote the configuration.
			throw new RpcError("the configuration is not JSON");
		}
		const { id, startTime } = this.instances.start(config);
		return { Name, Id: id, Config: config, StartTime: startTime };
	}

	#handleEvent(
		{ InstanceId, EventName }: Record<string, unknown>,
		request: Request,
	) {
		const instance = this.instances.get(InstanceId);
		if (!PHASES.includes(String(EventName)))
			throw new RpcError(`phase ${EventName} not implemented`);
		instance.lastUsed = Date.now();
		this.events.start(instance.plugin, request);
	}

	#status() {
		return {
			Pid: process.pid,
			Plugins: {
				[Name]: {
					Name,
					LoadTime: this.#loadTime,
					Modtime: this.#loadTime,
					Instances: this.instances.all().map(status),
					LastStartInstance: this.instances.lastStart,
					LastCloseInstance: this.instances.lastClose,
				},
			},
		};
	}
}

function status({ id, config, startTime }: Instance) {
	return { Name, Id: id, Config: config, StartTime: startTime };
}
