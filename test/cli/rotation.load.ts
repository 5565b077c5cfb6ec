import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createRemoteJWKSet, jwtVerify } from "jose";
import { parseDocument } from "yaml";
import type { Anything } from "../../local/backend/backend";
import { type Demo, startDemo } from "../../local/demo/demo";
import { loadDeclarative } from "../../local/gateway/entities";
import { dedicatedServer } from "../../local/gateway/plugin-server";
import { send } from "../../local/http";
import { packageRoot } from "../../schema/package-root";
import { run } from "../support/cli";
import { temporaryFolder, until } from "../support/server";

const KONG_YML = readFileSync(join(packageRoot(), "kong.yml"), "utf8");
const CLIENTS = 4;

/** Lifetime of tokens, and how long backends keep the JWK Set, in seconds. */
const EXPIRES_IN = 5;
const CACHE_MAX_AGE = 3;
const DELAYS = ["--cache-max-age", String(CACHE_MAX_AGE), "--margin", "1"];

// The worst backend: it keeps the JWK Set as long as it may, even when a key is not in it.
const JWKS_CACHE = {
	cacheMaxAge: CACHE_MAX_AGE * 1000,
	cooldownDuration: 3_600_000,
};

let demo: Demo;
afterEach(() => demo.close());

test("a whole rotation under load fails no verification at backends that cache the JWK Set", async () => {
	const folder = temporaryFolder();
	const kongYml = join(folder, "kong.yml");
	const key = join(folder, "new-jwk.json");
	const document = parseDocument(KONG_YML);
	const config = ["services", 0, "plugins", 0, "config"];
	document.setIn([...config, "expires_in"], EXPIRES_IN);
	writeFileSync(kongYml, document.toString({ lineWidth: 0 }));
	demo = await startDemo({
		configuration: loadDeclarative([kongYml]),
		pluginServerCommand: dedicatedServer(),
		jwksCache: JWKS_CACHE,
		log: () => {},
	});
	const { gateway } = demo;

	const failures: string[] = [];
	const counts: Record<string, number> = {};
	const late: Promise<void>[] = [];
	let verifiedLate = 0;
	let running = true;
	const anotherBackend = createRemoteJWKSet(
		new URL(`${gateway.httpUrl}/x-custom-jwt/jwks`),
		JWKS_CACHE,
	);
	/** A token may be shown to a backend until it expires: shows it a second before. */
	async function verifyLate(token: string, exp: number): Promise<void> {
		await sleep((exp - 1) * 1000 - Date.now());
		const currentDate = new Date();
		if (currentDate.getTime() >= exp * 1000) return;
		await jwtVerify(token, anotherBackend, { currentDate }).then(
			() => verifiedLate++,
			(error: Error) => failures.push(`late: ${error.message}`),
		);
	}
	async function client(): Promise<void> {
		for (let i = 0; running; i++) {
			const { status, body } = await send(`${gateway.httpUrl}/apiKey`, {
				headers: { apikey: "012345AZERTY!" },
			});
			if (status !== 200) {
				failures.push(body);
				continue;
			}
			const { jwt, headers }: Anything = JSON.parse(body);
			const kid = String(jwt.header.kid);
			counts[kid] = (counts[kid] ?? 0) + 1;
			if (i % 10 === 0)
				late.push(
					verifyLate(String(headers["x-custom-jwt"]), Number(jwt.claims.exp)),
				);
		}
	}
	const clients = Array.from({ length: CLIENTS }, client);

	/** Takes a step as soon as it is allowed, and deploys what it wrote. */
	async function step(name: string, ...more: string[]): Promise<void> {
		const args = ["keys", "rotate", name, "--config", kongYml, ...more];
		const isAllowed = async () => {
			const { code, stderr } = await run(args);
			if (code === 2) throw new Error(stderr);
			return code === 0;
		};
		await until(`${name} is allowed`, isAllowed, 40);
		gateway.reload(loadDeclarative([kongYml]));
	}
	await step("publish", "--private-out", key, ...DELAYS);
	await step("activate", "--key", key, ...DELAYS);
	const { kid } = JSON.parse(readFileSync(key, "utf8"));
	await until("the new key signs", () => (counts[kid] ?? 0) > 100);
	await step("retire");
	await sleep(CACHE_MAX_AGE * 1000);
	running = false;
	await Promise.all(clients);
	await Promise.all(late);

	expect(failures).toEqual([]);
	expect(Object.keys(counts).sort()).toEqual(["kong", kid].sort());
	expect(counts.kong).toBeGreaterThan(100);
	const jwks = await send(`${gateway.httpUrl}/x-custom-jwt/jwks`);
	expect(JSON.parse(jwks.body).keys).toMatchObject([{ kid }]);
	expect(verifiedLate).toBeGreaterThan(50);
});
