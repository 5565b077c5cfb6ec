import { type PluginEntry, WORKSPACE_ID } from "../../declarative/model";
import type { Log } from "./log";
import { callPdk, GET_RAW_BODY, stepMethod } from "./pdk";
import { configFields, type PluginInfo } from "./plugin-server";
import type { Exit, GatewayRequest } from "./request";
import type { RpcClient } from "./rpc";
import { isReference, resolveReference } from "./vault";

interface Step {
	EventId: number;
	Data: "ret" | { Method: string; Args: unknown[] };
}

/**
 * A plugin that runs in a plugin server, driven as Kong 3.9 does: an instance for each plugin entry,
 * started with its first request and again when the server does not know it; then one RPC call
 * after the other until the phase returns (Kong: plugin.lua, mp_rpc.lua).
 */
export class ExternalPlugin {
	readonly #instances = new Map<string, Promise<number>>();
	#sequence = 0;

	constructor(
		readonly info: PluginInfo,
		readonly rpc: RpcClient,
		readonly log: Log,
	) {}

	/**
	 * Fills in defaults, resolves vault references, and refuses fields the plugin does not have, or required ones not
	 * given.
	 *
	 * @param config the entry's configuration
	 * @param what names the entry in messages
	 */
	check(
		config: Record<string, unknown>,
		what: string,
	): Record<string, unknown> {
		const fields = configFields(this.info.Schema).flatMap(Object.entries);
		const checked: Record<string, unknown> = {};
		const references: Record<string, string> = {};
		for (const [name, attributes] of fields) {
			const value = config[name] ?? attributes.default;
			if (!isOfType(value, attributes.type))
				throw new Error(`${what}: ${name}: expected a ${attributes.type}`);
			if (attributes.referenceable && isReference(value)) {
				checked[name] = resolveReference(value, this.log);
				references[name] = value;
			} else if (value !== undefined) checked[name] = value;
			else if (attributes.required)
				throw new Error(`${what}: ${name}: required field missing`);
		}
		for (const name of Object.keys(config))
			if (!fields.some(([field]) => field === name))
				throw new Error(`${what}: ${name}: unknown field`);
		if (Object.keys(references).length > 0) checked.$refs = references;
		return checked;
	}

	/**
	 * Runs the access phase. As on Kong below 3.14 an error of the plugin server is logged and the
	 * request goes on (Kong fact).
	 *
	 * @returns the response, when the plugin ended the request
	 * @throws when the instance cannot be started or a PDK call raises: Kong answers 500
	 */
	async access(
		request: GatewayRequest,
		entry: PluginEntry,
	): Promise<Exit | undefined> {
		const instanceId = await this.#instanceOf(entry);
		try {
			return await this.#runPhase(request, instanceId);
		} catch (error) {
			if (!(error instanceof RpcError)) throw error;
			if (error.message.toLowerCase().includes("no plugin instance")) {
				this.log("warn", error.message);
				this.#instances.clear();
				return this.access(request, entry);
			}
			this.log("error", error.message);
			return undefined;
		}
	}

	/** Closes what has been started: each entry's next request starts an instance with what it is configured with then. */
	closeInstances(): void {
		const instances = [...this.#instances.values()];
		this.#instances.clear();
		for (const instance of instances)
			instance
				.then((id) => this.rpc.call("plugin.CloseInstance", id))
				.catch(({ message }: Error) => this.log("info", message));
	}

	async #runPhase(
		request: GatewayRequest,
		instanceId: number,
	): Promise<Exit | undefined> {
		let step = await this.#step("plugin.HandleEvent", {
			InstanceId: instanceId,
			EventName: "access",
		});
		const { EventId } = step;
		while (step.Data !== "ret") {
			const { Method, Args } = step.Data;
			if (Method === GET_RAW_BODY) await request.readBody();
			const outcome = callPdk(request, Method, Args, this.log);
			if ("exit" in outcome) return outcome.exit;
			step = await this.#step(stepMethod(Method), {
				...(outcome.result !== undefined && { Data: outcome.result }),
				EventId,
			});
		}
		return undefined;
	}

	async #step(method: string, argument: unknown): Promise<Step> {
		try {
			return (await this.rpc.call(method, argument)) as Step;
		} catch (error) {
			throw new RpcError((error as Error).message);
		}
	}

	#instanceOf(entry: PluginEntry): Promise<number> {
		const known = this.#instances.get(entry.id);
		if (known) return known;
		const starting = this.#startInstance(entry);
		this.#instances.set(entry.id, starting);
		// A failed start is tried again on the next request.
		starting.catch(() => this.#instances.delete(entry.id));
		return starting;
	}

	async #startInstance({ id, name, config, scope }: PluginEntry) {
		const { route_id = "", service_id = "" } = scope;
		const argument = {
			Name: name,
			Config: JSON.stringify({
				...config,
				...scope,
				__key__: `plugins:${name}:${route_id}:${service_id}:::${WORKSPACE_ID}`,
				__seq__: ++this.#sequence,
				__ws_id: WORKSPACE_ID,
				__plugin_id: id,
			}),
		};
		const instance = await this.rpc
			.call("plugin.StartInstance", argument)
			.catch(({ message }: Error) => {
				throw new Error(`starting instance: ${message}`);
			});
		return (instance as { Id: number }).Id;
	}
}

/** Whether a value that is given has one of the types of Kong's schema language that the plugin uses. */
function isOfType(value: unknown, type: string): boolean {
	if (value === undefined) return true;
	if (type === "set" || type === "array") return Array.isArray(value);
	if (type === "map") return typeof value === "object";
	return typeof value === (type === "integer" ? "number" : type);
}

/** A call that the plugin server answered with an error, or not at all. */
class RpcError extends Error {}
