import type { Exit, GatewayRequest } from "./request";

/** Kong's side of a protocol with a plugin server. */
export interface PluginRpc {
	/**
	 * Starts an instance.
	 *
	 * @param config the plugin entry's configuration, JSON
	 * @returns the instance's id
	 */
	startInstance(name: string, config: string): Promise<number>;
	closeInstance(id: number): Promise<unknown>;
	/**
	 * Runs the access phase on an instance.
	 *
	 * @returns the response, when the plugin ended the request
	 * @throws {InstanceLost} when the event has to be repeated on a new instance
	 * @throws {ServerFailed} when the plugin server did not do its part
	 * @throws when a PDK call raises: Kong answers 500
	 */
	handleEvent(
		instanceId: number,
		request: GatewayRequest,
	): Promise<Exit | undefined>;
	/** Whether Kong proxies a request whose plugin server failed (Kong fact: below 3.14, on MessagePack). */
	readonly failsOpen: boolean;
	/** Closes the connections that are kept alive. */
	close(): void;
}

/** The plugin server does not know the instance, or is gone in the middle of an event. */
export class InstanceLost extends Error {}

/** The plugin server answered with an error, or not at all. */
export class ServerFailed extends Error {}
