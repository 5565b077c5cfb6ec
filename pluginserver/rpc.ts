import { Name, Priority, Version } from "../plugins/x-custom-jwt";
import { kongEntityFields } from "../schema/kong";
import { PHASES } from "./calls";
import { Events } from "./events";
import { type Instance, Instances } from "./instances";
import type { Log } from "./log";
import type { RpcCall, RpcReturn } from "./messages";
import type { Of } from "./protobuf";

const SCHEMA = { name: Name, fields: kongEntityFields };

/**
 * What Kong's query command wants to know: the protocol, and the one plugin of this server (Kong:
 * process.lua).
 */
export function dump() {
	const plugin = { Name, Version, Phases: PHASES, Priority, Schema: SCHEMA };
	return { Protocol: "ProtoBuf:1", Plugins: [plugin] };
}

/** What another process may have to say first. */
export type Later<T> = T | Promise<T>;

/** Goes on at once when there is nothing to wait for: of calls in one read each is answered before the next. */
export function then<T, U>(value: Later<T>, next: (value: T) => U): Later<U> {
	return value instanceof Promise ? value.then(next) : next(value);
}

type Call = Of<typeof RpcCall>;
type Answer = Of<typeof RpcReturn>;

/** Kong's calls that are no events, on one set of instances. */
export class PluginServerRpc {
	readonly instances: Instances;
	readonly events = new Events();
	readonly #loaded = Math.floor(Date.now() / 1000);

	constructor(log: Log) {
		this.instances = new Instances(log);
	}

	/** The instance with an id; undefined when there is none, or none any more. */
	find(id: number | undefined): Later<Instance | undefined> {
		return this.instances.get(id);
	}

	/**
	 * @returns the answer, but for its sequence; undefined when the call is about an instance that is unknown
	 */
	answer(call: Call): Later<Answer | undefined> {
		if (call.cmd_get_plugin_names) return { plugin_names: { names: [Name] } };
		if (call.cmd_get_plugin_info) return { plugin_info: this.#pluginInfo() };
		if (call.cmd_start_instance) {
			const { name, config } = call.cmd_start_instance;
			return then(this.start(name, config), status);
		}
		if (call.cmd_get_instance_status)
			return then(this.find(call.cmd_get_instance_status.instance_id), status);
		if (call.cmd_close_instance)
			return then(this.close(call.cmd_close_instance.instance_id), () => ({}));
		return {};
	}

	protected start(
		name: string | undefined,
		config: Buffer | undefined,
	): Later<Instance | undefined> {
		return this.instances.start(name, config);
	}

	protected close(id: number | undefined): Later<void> {
		this.instances.close(id);
	}

	#pluginInfo() {
		return {
			name: Name,
			updated_at: this.#loaded,
			loaded_at: this.#loaded,
			phases: PHASES,
			version: Version,
			priority: Priority,
			schema: JSON.stringify(SCHEMA),
		};
	}
}

function status(instance: Instance | undefined): Answer | undefined {
	if (!instance) return undefined;
	const { id, started } = instance;
	const started_at = Math.floor(started / 1000);
	return { instance_status: { name: Name, instance_id: id, started_at } };
}
