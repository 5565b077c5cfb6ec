import { readFileSync } from "node:fs";
import type { IncomingHttpHeaders } from "node:http";
import { join } from "node:path";
import { decodeJwt } from "jose";
import type { Anything } from "../../../local/backend/backend";
import { CONFIG_FILES, type Demo, startDemo } from "../../../local/demo/demo";
import { signToken } from "../../../local/demo/flows";
import {
	loadDeclarative,
	type PluginEntity,
} from "../../../local/gateway/entities";
import {
	dedicatedServer,
	stockServer,
} from "../../../local/gateway/plugin-server";
import { type Reply, send } from "../../../local/http";
import { packageRoot } from "../../../schema/package-root";
import { until } from "../../support/server";

const SPELLINGS = [
	"X-Custom-Jwt",
	"X-Custom_Jwt",
	"X_Custom-Jwt",
	"X_Custom_Jwt",
];
const API_KEY = "012345AZERTY!";
const OTHER = "somebody else";

const STOCK = stockServer();
const GUARD = join(packageRoot(), "deck/guard.yml");

/** A token the backend takes, of another client: what an attacker hopes to get through. */
let forged: string;
beforeAll(async () => {
	forged = await signToken("RS256-jwk-private.json", {
		iss: "https://kong-gateway:8443/x-custom-jwt",
		aud: "http://httpbin:9000/anything",
		client_id: OTHER,
		jti: "forged",
	});
});

const demos: Demo[] = [];
afterAll(() => Promise.all(demos.map((demo) => demo.close())));

/** The demo, with the guard or without, and what is to change in the plugins of each route. */
async function start(
	command: string[],
	guard: string[] = [],
	change = (plugins: PluginEntity[]) => plugins,
) {
	const configuration = loadDeclarative([...CONFIG_FILES, ...guard]);
	for (const route of configuration.routes)
		route.plugins = change(route.plugins);
	const received: IncomingHttpHeaders[] = [];
	const demo = await startDemo({
		configuration,
		pluginServerCommand: command,
		onRequest: (headers) => received.push(headers),
		log: () => {},
	});
	demos.push(demo);
	return { ...demo, received };
}

type Guarded = Awaited<ReturnType<typeof start>>;

/** A request of a client with an API key and a header of its own. */
function ask(
	{ gateway }: Demo,
	headers: Record<string, string>,
): Promise<Reply> {
	return send(`${gateway.httpUrl}/apiKey`, {
		headers: { apikey: API_KEY, ...headers },
	});
}

/** Sends forged headers in all spellings, four at a time, while the plugin server is killed and comes back. */
async function killUnderLoad(demo: Demo, kills: number): Promise<Reply[]> {
	const replies: Reply[] = [];
	let stopped = false;
	const clients = Array.from({ length: 4 }, async (_, client) => {
		for (let count = client; !stopped; count++) {
			const spelling = SPELLINGS[count % SPELLINGS.length] ?? "";
			replies.push(await ask(demo, { [spelling]: forged }));
		}
	});
	const verified = () => replies.filter(({ status }) => status === 200).length;
	for (let kill = 0; kill < kills; kill++) {
		const before = verified();
		await until("requests are served", () => verified() > before + 50);
		const others = replies.length;
		await demo.pluginServer.kill();
		await until(
			"requests were sent meanwhile",
			() => replies.length > others + 20,
		);
		await demo.pluginServer.ready();
	}
	stopped = true;
	await Promise.all(clients);
	return replies;
}

/** Clients that the backend verified tokens of. */
function clientsOf(replies: Reply[]): Set<unknown> {
	return new Set(
		replies
			.filter(({ status }) => status === 200)
			.map(({ body }) => (JSON.parse(body) as Anything).jwt.claims.client_id),
	);
}

describe("killed under load", () => {
	test.each([
		["the stock plugin server behind the guard", STOCK, [GUARD]],
		["the dedicated plugin server without it", dedicatedServer(), []],
	])(
		"%s lets nothing through but the gateway's own tokens",
		async (_, command, guard) => {
			const demo = await start(command, guard);
			const replies = await killUnderLoad(demo, 3);

			expect(clientsOf(replies)).toEqual(new Set([API_KEY]));
			const refused = replies.filter(({ status }) => status !== 200);
			expect(refused.length).toBeGreaterThan(0);
			for (const { status } of refused) expect([500, 503]).toContain(status);

			const { received } = demo;
			expect(received).toHaveLength(replies.length - refused.length);
			for (const headers of received) {
				const token = String(headers["x-custom-jwt"]);
				expect(decodeJwt(token).client_id).toBe(API_KEY);
			}
		},
	);

	test("the stock plugin server without the guard lets a client's own header through", async () => {
		const demo = await start(STOCK);
		const replies = await killUnderLoad(demo, 1);
		expect(clientsOf(replies)).toEqual(new Set([API_KEY, OTHER]));
		for (const name of SPELLINGS)
			expect(
				demo.received.map((headers) => headers[name.toLowerCase()]),
			).toContain(forged);
	});
});

describe("the guard", () => {
	let guarded: Guarded;

	beforeAll(async () => {
		guarded = await start(STOCK, [GUARD]);
	});
	beforeEach(() => {
		guarded.received.splice(0);
	});

	test("keeps all other spellings of the header away", async () => {
		for (const name of SPELLINGS) await ask(guarded, { [name]: forged });
		for (const headers of guarded.received)
			expect(
				SPELLINGS.filter((name) => headers[name.toLowerCase()] !== undefined),
			).toEqual(["X-Custom-Jwt"]);
		expect(guarded.received).toHaveLength(SPELLINGS.length);
	});

	test("leaves other requests alone, also those that name other headers in Connection", async () => {
		const connection = "close, X-Own";
		const { status, body } = await ask(guarded, { connection, "X-Own": "1" });
		expect(status).toBe(200);
		const { headers } = JSON.parse(body) as Anything;
		expect(headers).not.toHaveProperty("x-own");
	});

	test("answers 503 when the token is missing", async () => {
		await guarded.pluginServer.kill();
		const { status, body } = await ask(guarded, {});
		const refusal = { message: "Service unavailable" };
		expect([status, JSON.parse(body)]).toEqual([503, refusal]);
		expect(guarded.received).toEqual([]);
	});
});

describe("the guard of its page for a token in Authorization", () => {
	// As the page has it: two blocks of Lua.
	const page = readFileSync(join(packageRoot(), "docs/guard.md"), "utf8");
	const [pre = "", post = ""] = [
		...page.matchAll(/```lua\n([\s\S]*?)```/g),
	].map(([, lua]) => lua);
	const CODE: Record<string, string | undefined> = {
		"pre-function": pre,
		"post-function": post,
	};

	test("takes what the client sent for no token", async () => {
		const demo = await start(STOCK, [GUARD], (plugins) =>
			plugins.map((plugin) => {
				const { name, config } = plugin;
				if (name === "x-custom-jwt")
					config.upstream_custom_jwt_header = "Authorization";
				const code = CODE[name];
				return code ? { ...plugin, config: { access: [code] } } : plugin;
			}),
		);
		const { received } = demo;
		const authorization = `Bearer ${forged}`;
		await ask(demo, { authorization });
		await ask(demo, {});
		const clients = received.map((headers) =>
			decodeJwt(String(headers.authorization?.replace("Bearer ", ""))),
		);
		expect(clients).toMatchObject([
			{ client_id: API_KEY },
			{ client_id: API_KEY },
		]);
		await demo.pluginServer.kill();
		for (const headers of [{ authorization }, {}] as object[])
			expect((await ask(demo, { ...headers })).status).toBe(503);
		expect(received).toHaveLength(2);
	});
});
