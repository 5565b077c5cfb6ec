declare module "kong-pdk/pdk" {
	/** Kong's PDK as a proxy that turns each call into a message on a channel. */
	export default class PDK {
		constructor(channel: {
			put(call: { Method: string; Args: unknown[] }): void;
			get(): Promise<unknown>;
		});
		readonly kong: unknown;
	}
}

declare module "postject" {
	/** Puts a resource into an executable file, in place. */
	export function inject(
		file: string,
		resource: string,
		data: Buffer,
		options: { sentinelFuse: string },
	): Promise<void>;
}
