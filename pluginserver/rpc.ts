import { Name, Priority, Version } from "../plugins/x-custom-jwt";
import { kongEntityFields } from "../schema/kong";
import { Events } from "./events";
import { type Instance, Instances } from "./instances";
import type { Log } from "./log";
import type { RpcCall, RpcReturn } from "./messages";
import type { Of } from "./protobuf";

/** The phases of the plugin (Kong: a plugin server tells them). */
export const PHASES = ["access"];

const SCHEMA = { name: Name, fields: kongEntityFields };

/**
 * What Kong's query command wants to know: the protocol, and the one plugin of this server (Kong:
 * process.lua).
 */
export function dump() {
	const plugin = { Name, Version, Phases: PHASES, Priority, Schema: SCHEMA };
	return { Protocol: "ProtoBuf:1", Plugins: [plugin] };
}

/** Kong's calls that are no events, on one set of instances. */
export class PluginServerRpc {
	readonly instances: Instances;
	readonly events = new Events();
	readonly #loaded = Math.floor(Date.now() / 1000);

	constructor(log: Log) {
		this.instances = new Instances(log);
	}

	/**
	 * @returns the answer, but for its sequence; undefined when the call is about an instance that is unknown
	 */
	answer(call: Of<typeof RpcCall>): Of<typeof RpcReturn> | undefined {
		if (call.cmd_get_plugin_names) return { plugin_names: { names: [Name] } };
		if (call.cmd_get_plugin_info) return { plugin_info: this.#pluginInfo() };
		if (call.cmd_start_instance) {
			const { name, config } = call.cmd_start_instance;
			return status(this.instances.start(name, config));
		}
		if (call.cmd_get_instance_status) {
			const { instance_id } = call.cmd_get_instance_status;
			const instance = this.instances.get(instance_id);
			return instance && status(instance);
		}
		if (call.cmd_close_instance)
			this.instances.close(call.cmd_close_instance.instance_id);
		return {};
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

function status({ id, started }: Instance): Of<typeof RpcReturn> {
	const started_at = Math.floor(started / 1000);
	return { instance_status: { name: Name, instance_id: id, started_at } };
}
