/**
 * A plugin with the defects that ours must not have, in the place of x-custom-jwt: what escapes a
 * plugin is for the plugin server to handle. The member `fault` of the configuration says which.
 */
interface Kong {
	log: { warn(message: string): Promise<void> };
	response: { exit(status: number): Promise<void> };
	service: { request: { setHeader(name: string, value: string): void } };
}

const FAULTS: Record<string, (kong: Kong) => unknown> = {
	"throws at once": () => {
		throw new Error("secret of the plugin");
	},
	"throws after a PDK call": async (kong) => {
		await kong.log.warn("about to fail");
		throw new TypeError("secret of the plugin");
	},
	"rejects with undefined": () => Promise.reject(undefined),
	"rejects with a text": () => Promise.reject("secret of the plugin"),
	"hangs at once": () => new Promise(() => {}),
	"hangs after a PDK call": async (kong) => {
		await kong.log.warn("about to hang");
		return new Promise(() => {});
	},
	"exits and goes on": async (kong) => {
		await kong.response.exit(403);
		kong.service.request.setHeader("x-after", "exit");
		throw new Error("secret of the plugin");
	},
	"exits, waits and goes on": async (kong) => {
		await kong.response.exit(403);
		await kong.log.warn("never answered");
	},
	"does nothing": () => {},
};

export const Name = "x-custom-jwt";
export const Version = "0.0.0";
export const Priority = 1;
export const Schema = [{ fault: { type: "string" } }];

export class Plugin {
	readonly key = { alg: "ES256", kid: "faulty" };
	readonly #fault: string;

	constructor({ fault }: { fault: string }) {
		this.#fault = fault;
	}

	async access(kong: Kong): Promise<void> {
		await FAULTS[this.#fault]?.(kong);
	}
}
