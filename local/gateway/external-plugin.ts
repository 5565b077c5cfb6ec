import { type PluginEntity, WORKSPACE_ID } from "./entities";
import type { Log } from "./log";
import { InstanceLost, type PluginRpc, ServerFailed } from "./plugin-rpc";
import { configFields, type PluginInfo } from "./plugin-server";
import type { Exit, GatewayRequest } from "./request";
import { isReference, resolveReference } from "./vault";

/**
 * A plugin that runs in a plugin server, driven as Kong 3.9 does: an instance for each plugin entry,
 * started with its first request and again when the server does not know it (Kong: plugin.lua).
 */
export class ExternalPlugin {
	readonly #instances = new Map<string, Promise<number>>();
	#sequence = 0;

	constructor(
		readonly info: PluginInfo,
		readonly rpc: PluginRpc,
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
	 * Runs the access phase.
	 *
	 * @returns the response, when the plugin ended the request
	 * @throws when the instance cannot be started, a PDK call raises, or the plugin server fails on a
	 * protocol that fails closed: Kong answers 500
	 */
	async access(
		request: GatewayRequest,
		entry: PluginEntity,
	): Promise<Exit | undefined> {
		const instanceId = await this.#instanceOf(entry);
		try {
			return await this.rpc.handleEvent(instanceId, request);
		} catch (error) {
			if (error instanceof InstanceLost) {
				this.log("warn", error.message);
				this.#instances.clear();
				return this.access(request, entry);
			}
			if (!(error instanceof ServerFailed && this.rpc.failsOpen)) throw error;
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
				.then((id) => this.rpc.closeInstance(id))
				.catch(({ message }: Error) => this.log("info", message));
	}

	#instanceOf(entry: PluginEntity): Promise<number> {
		const known = this.#instances.get(entry.id);
		if (known) return known;
		const starting = this.#startInstance(entry);
		this.#instances.set(entry.id, starting);
		// A failed start is tried again on the next request.
		starting.catch(() => this.#instances.delete(entry.id));
		return starting;
	}

	async #startInstance({ id, name, config, scope }: PluginEntity) {
		const { route_id = "", service_id = "" } = scope;
		const started = this.rpc.startInstance(
			name,
			JSON.stringify({
				...config,
				...scope,
				__key__: `plugins:${name}:${route_id}:${service_id}:::${WORKSPACE_ID}`,
				__seq__: ++this.#sequence,
				__ws_id: WORKSPACE_ID,
				__plugin_id: id,
			}),
		);
		return started.catch(({ message }: Error) => {
			throw new Error(`starting instance: ${message}`);
		});
	}
}

/** Whether a value that is given has one of the types of Kong's schema language that the plugin uses. */
function isOfType(value: unknown, type: string): boolean {
	if (value === undefined) return true;
	if (type === "set" || type === "array") return Array.isArray(value);
	if (type === "map") return typeof value === "object";
	return typeof value === (type === "integer" ? "number" : type);
}
