import {
	chmodSync,
	existsSync,
	lstatSync,
	readFileSync,
	rmSync,
	statSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import type { JWK } from "jose";
import { parse } from "yaml";
import { checkConfiguration } from "../../cli/check";
import { publicHalf } from "../../cli/named-jwk";
import {
	type ActivateOptions,
	activate,
	type Outcome,
	publish,
	retire,
} from "../../cli/rotate";
import type { Selection } from "../../cli/rotation-entries";
import { type Configuration, makeConfiguration } from "../../declarative/model";
import { applyEdits, parseSource } from "../../declarative/text";
import { generateKey } from "../../jwk/generate";
import { packageRoot } from "../../schema/package-root";
import { run, secretsOf } from "../support/cli";
import { temporaryFolder } from "../support/server";

const folder = temporaryFolder();
const KONG_YML = readFileSync(join(packageRoot(), "kong.yml"), "utf8");
const REFERENCE = "{vault://env/x-custom-jwt-private-jwk}";
const ALL: Selection = { plugin: "x-custom-jwt" };
const NOW = 1_800_000_000;
const MARGIN = 60;
/** Time between publish and activate: of the caches, and of the deployment. */
const CACHE = 600 + MARGIN;
const DELAYS = { cacheMaxAge: 600, margin: MARGIN };

let OLD: JWK;
let NEW: JWK;
let THIRD: JWK;
beforeAll(async () => {
	OLD = await generateKey("EdDSA", { kid: "old" });
	NEW = await generateKey("EdDSA", { kid: "new" });
	THIRD = await generateKey("ES256", { kid: "third" });
});

/** What a step did to a text. */
async function change(
	text: string,
	step: (configuration: Configuration) => Promise<Outcome>,
) {
	const source = parseSource(text, "kong.yml");
	const outcome = await step(makeConfiguration([source]));
	const [file] = applyEdits(outcome.edits);
	return { ...outcome, text: file?.text ?? text };
}

const publishing = (text: string, key: JWK, now = NOW, selection = ALL) =>
	change(text, (it) => publish(it, selection, key, DELAYS, now));

const activating = (
	text: string,
	key: JWK | undefined,
	now: number,
	{
		selection = ALL,
		...options
	}: Partial<ActivateOptions> & { selection?: Selection } = {},
) =>
	change(text, (it) =>
		activate(it, selection, { key, ...DELAYS, force: false, ...options }, now),
	);

const retiring = (text: string, now: number, force = false) =>
	change(text, (it) => retire(it, ALL, force, now));

/** A file with plugin entries on routes of their own, and the route of their JWK Set. */
function file(entries: Record<string, object | string>, keys: JWK[]): string {
	const routes = Object.entries(entries).map(
		([name, config]) => `      - name: ${name}
        paths: [/${name}]
        plugins:
          - name: key-auth
          - name: x-custom-jwt # of ${name}
            config: ${typeof config === "string" ? config : JSON.stringify(config)}
`,
	);
	return `_format_version: "3.0"
services:
  - name: s
    url: http://backend
    routes:
${routes.join("")}
routes:
  - name: jwks
    paths:
      - /x-custom-jwt/jwks   # the default of jku
    plugins:
      - name: cors
      - name: request-termination
        config:
          status_code: 200
          body: |
${JSON.stringify({ keys: keys.map((key) => publicHalf(key, "")) }, null, 2).replaceAll(/^/gm, "            ")}
      # the end
`;
}

/** The plugin entry's configuration in a text of `file` with one. */
const configOf = (text: string) =>
	parse(text).services[0].routes[0].plugins[1].config;

const withKey = (key: JWK, more = {}) => ({
	private_jwk: JSON.stringify(key),
	...more,
});

interface Marked extends JWK {
	x_custom_jwt_published?: number;
	x_custom_jwt_activated?: number;
	x_custom_jwt_retirable?: number;
}

/** The published keys. */
function publishedKeys(text: string): Marked[] {
	const { plugins } = parse(text).routes[0];
	return JSON.parse(
		plugins.find(({ config }: { config?: object }) => config).config.body,
	).keys;
}

const kids = (text: string) => publishedKeys(text).map(({ kid }) => kid);

/** `kid` of the private key in the entry on a route. */
function signingKid(text: string, route: string): string {
	const routes = parse(text, { merge: true }).services[0].routes;
	const { plugins } = routes.find(
		({ name }: { name: string }) => name === route,
	);
	return JSON.parse(plugins[1].config.private_jwk).kid;
}

async function errorsIn(text: string) {
	const findings = await checkConfiguration(
		makeConfiguration([parseSource(text, "kong.yml")]),
	);
	return findings.filter(({ severity }) => severity === "error");
}

describe("publish", () => {
	test("adds the public key with the time, and changes nothing else of the file", async () => {
		const before = file({ a: withKey(OLD) }, [OLD]);
		const { done, text, allowedAt } = await publishing(before, NEW);
		expect(done).toBe(true);
		expect(allowedAt).toBe(NOW + CACHE);
		expect(publishedKeys(text)).toEqual([
			publicHalf(OLD, ""),
			{ ...publicHalf(NEW, ""), x_custom_jwt_published: NOW },
		]);
		expect(signingKid(text, "a")).toBe("old");
		const rest = (yaml: string) => yaml.replace(/^ +\{\n[\s\S]*^ +\}\n/m, "");
		expect(rest(text)).toBe(rest(before));
		expect(rest(text)).toContain("# the end");
	});

	test("takes a public key: the private one may never leave its vault", async () => {
		const { text } = await publishing(
			file({ a: withKey(OLD) }, [OLD]),
			publicHalf(NEW, ""),
		);
		expect(kids(text)).toEqual(["old", "new"]);
	});

	test("publishes the alg that the entries' algorithm makes of it, or its own, and no wrong x5c", async () => {
		const rsa = await generateKey("RS256", { kid: "rsa" });
		const { alg: _, ...plain } = rsa;
		for (const [config, key, alg] of [
			[{ algorithm: "PS256" }, rsa, "PS256"],
			[{ algorithm: "PS256" }, plain, "PS256"],
			[{}, plain, "RS256"],
		] as const) {
			const old = await generateKey("RS256", { kid: "old" });
			const text = file({ a: withKey(old, config) }, [old]);
			const { notes, ...published } = await publishing(text, {
				...key,
				x5c: ["PEM"],
			});
			const [, added] = publishedKeys(published.text);
			expect(added).toMatchObject({ kid: "rsa", alg });
			expect(added).not.toHaveProperty("x5c");
			expect(notes[0]).toMatch(/^warning: the new key: x5c is left out/);
			expect(await activating(published.text, key, NOW + CACHE)).toMatchObject({
				done: true,
			});
		}
	});

	test("refuses a key that the entries' algorithm does not fit", async () => {
		const text = file({ a: withKey(OLD, { algorithm: "Ed25519" }) }, [OLD]);
		await expect(publishing(text, THIRD)).rejects.toThrow(
			"the new key: the algorithm does not fit the key, which can sign with ES256",
		);
	});

	test("says no when the key is there, and refuses another key of its kid", async () => {
		const text = file({ a: withKey(OLD) }, [OLD]);
		expect(await publishing(text, OLD)).toMatchObject({ done: false, text });
		await expect(publishing(text, { ...NEW, kid: "old" })).rejects.toThrow(
			'the JWK Set of route jwks has another key "old"',
		);
		await expect(publishing(text, { ...NEW, kid: undefined })).rejects.toThrow(
			"the new key has no kid",
		);
	});
});

describe("activate", () => {
	test("is refused until every backend's cache has the key, and says when that is", async () => {
		const { text } = await publishing(file({ a: withKey(OLD) }, [OLD]), NEW);
		const early = await activating(text, NEW, NOW + CACHE - 1);
		expect(early).toMatchObject({ done: false, text, allowedAt: NOW + CACHE });
		expect(early.message).toContain("activate is allowed in 1 s (2027-");
		expect(await activating(text, NEW, NOW + CACHE)).toMatchObject({
			done: true,
		});
		expect(await activating(text, NEW, NOW, { force: true })).toMatchObject({
			done: true,
		});
	});

	test("is refused for a key that is not published", async () => {
		const text = file({ a: withKey(OLD) }, [OLD]);
		expect(await activating(text, NEW, NOW, { force: true })).toMatchObject({
			done: false,
			message: 'key "new" is not in the JWK Set: publish it first',
		});
		expect(await activating(text, undefined, NOW)).toMatchObject({
			done: false,
		});
	});

	test("is refused for a key of which nobody knows since when it is published", async () => {
		const text = file({ a: withKey(OLD) }, [OLD, NEW]);
		expect(await activating(text, NEW, NOW)).toMatchObject({
			done: false,
			message: expect.stringContaining(
				"does not say since when it is published",
			),
		});
		expect(await activating(text, NEW, NOW, { force: true })).toMatchObject({
			done: true,
		});
	});

	test("needs the private key where the file holds it", async () => {
		const { text } = await publishing(file({ a: withKey(OLD) }, [OLD]), NEW);
		for (const key of [undefined, publicHalf(NEW, "")])
			await expect(activating(text, key, NOW + CACHE)).rejects.toThrow(
				"route a holds its key itself: give the new private JWK with --key",
			);
	});

	test("signs with the new key, and keeps the old one published for the longest lifetime and the margin", async () => {
		const before = file(
			{
				a: withKey(OLD, { expires_in: 60 }),
				b: withKey(OLD, { expires_in: 7200 }),
			},
			[OLD],
		);
		const { text: published } = await publishing(before, NEW);
		const later = NOW + CACHE;
		const { text, allowedAt } = await activating(published, NEW, later);
		expect([signingKid(text, "a"), signingKid(text, "b")]).toEqual([
			"new",
			"new",
		]);
		expect(publishedKeys(text)).toMatchObject([
			{ kid: "old", x_custom_jwt_retirable: later + 7200 + MARGIN },
			{
				kid: "new",
				x_custom_jwt_published: NOW,
				x_custom_jwt_activated: later,
			},
		]);
		expect(allowedAt).toBe(later + 7200 + MARGIN);
		expect(await errorsIn(text)).toEqual([]);
	});

	test("goes back to the old key at once when the new one does not do", async () => {
		const { text: published } = await publishing(
			file({ a: withKey(OLD) }, [OLD]),
			NEW,
		);
		const { text: active } = await activating(published, NEW, NOW + CACHE);
		const { done, text } = await activating(active, OLD, NOW + CACHE + 1);
		expect(done).toBe(true);
		expect(signingKid(text, "a")).toBe("old");
		const [old, replaced] = publishedKeys(text);
		expect(old).not.toHaveProperty("x_custom_jwt_retirable");
		expect(replaced).toHaveProperty(
			"x_custom_jwt_retirable",
			NOW + CACHE + 1 + 1800 + MARGIN,
		);
	});

	test("waits again for a key that was forced too early, and taken back", async () => {
		const before = file({ a: withKey(OLD) }, [OLD]);
		const { text: published } = await publishing(before, NEW);
		const forced = await activating(published, NEW, NOW, { force: true });
		const { text } = await activating(forced.text, OLD, NOW + 1);
		expect(await activating(text, NEW, NOW + 2)).toMatchObject({
			done: false,
			allowedAt: NOW + CACHE,
		});
	});

	test("says where else the old public key stands", async () => {
		const { text } = await publishing(KONG_YML, NEW);
		const { notes } = await activating(text, NEW, NOW + CACHE);
		const offset = text.indexOf(
			"rsa_public_key:",
			text.indexOf("key: my-user"),
		);
		const line = text.slice(0, offset).split("\n").length;
		expect(notes).toContainEqual(
			expect.stringContaining(
				`kong.yml:${line}:25 is the public key of key "kong" as PEM`,
			),
		);
	});
});

describe("retire", () => {
	async function activated(
		entries: Record<string, object | string>,
		selection = ALL,
	) {
		const { text } = await publishing(file(entries, [OLD]), NEW);
		return (await activating(text, NEW, NOW + CACHE, { selection })).text;
	}

	test("is refused while a token of the old key can be in use, and says until when", async () => {
		const text = await activated({ a: withKey(OLD) });
		const allowedAt = NOW + CACHE + 1800 + MARGIN;
		const early = await retiring(text, allowedAt - 60);
		expect(early).toMatchObject({ done: false, allowedAt, text });
		expect(early.message).toContain("retire is allowed in 1 min");
		const after = await retiring(text, allowedAt);
		expect(after.done).toBe(true);
		expect(kids(after.text)).toEqual(["new"]);
		expect(await errorsIn(after.text)).toEqual([]);
	});

	test("takes a stolen key away at once when forced", async () => {
		const text = await activated({ a: withKey(OLD) });
		expect(kids((await retiring(text, NOW + CACHE, true)).text)).toEqual([
			"new",
		]);
	});

	test("never takes away a key that an entry signs with, forced or not", async () => {
		const entries = { a: withKey(OLD), b: withKey(OLD) };
		const text = await activated(entries, { ...ALL, route: "a" });
		expect([signingKid(text, "a"), signingKid(text, "b")]).toEqual([
			"new",
			"old",
		]);
		expect(await retiring(text, NOW * 2, true)).toMatchObject({ done: false });
		// Marked by hand, too.
		const marked = text.replace(
			'"kid": "old",',
			'"kid": "old", "x_custom_jwt_retirable": 1,',
		);
		expect(publishedKeys(marked)[0]).toMatchObject({
			x_custom_jwt_retirable: 1,
		});
		expect(await retiring(marked, NOW, true)).toMatchObject({
			done: false,
			message: 'key "old" still signs on route b',
			text: marked,
		});
	});

	test("says no when nothing was replaced", async () => {
		const text = file({ a: withKey(OLD) }, [OLD]);
		expect(await retiring(text, NOW, true)).toMatchObject({
			done: false,
			text,
		});
	});
});

describe("plugin entries", () => {
	test("that share a key by an alias rotate together, and not apart", async () => {
		const shared = file(
			{
				a: `{ private_jwk: &key '${JSON.stringify(OLD)}' }`,
				b: "{ private_jwk: *key, expires_in: 7200 }",
			},
			[OLD],
		);
		const { text: published } = await publishing(shared, NEW);
		const { text } = await activating(published, NEW, NOW + CACHE);
		expect([signingKid(text, "a"), signingKid(text, "b")]).toEqual([
			"new",
			"new",
		]);
		expect(text).toContain("*key");
		expect(publishedKeys(text)[0]?.x_custom_jwt_retirable).toBe(
			NOW + CACHE + 7200 + MARGIN,
		);
		const selection = { ...ALL, route: "b" };
		await expect(
			activating(published, NEW, NOW + CACHE, { selection }),
		).rejects.toThrow("route b shares its private_jwk with route a");
	});

	test("that sign with different keys rotate one by one, in one JWK Set", async () => {
		const two = file({ a: withKey(OLD), b: withKey(THIRD) }, [OLD, THIRD]);
		const { text: published } = await publishing(two, NEW);
		await expect(activating(published, NEW, NOW + CACHE)).rejects.toThrow(
			"sign with different keys (route a, route b)",
		);
		const selection = { ...ALL, route: "a" };
		const { text } = await activating(published, NEW, NOW + CACHE, {
			selection,
		});
		expect([signingKid(text, "a"), signingKid(text, "b")]).toEqual([
			"new",
			"third",
		]);
		expect(
			publishedKeys(text).map(
				(jwk) => jwk.x_custom_jwt_retirable !== undefined,
			),
		).toEqual([true, false, false]);
		const { text: end } = await retiring(text, NOW * 2);
		expect(kids(end)).toEqual(["third", "new"]);
		expect(await errorsIn(end)).toEqual([]);
	});

	test("that share a key and are activated one after the other keep it for the longest lifetime of both", async () => {
		const entries = {
			a: withKey(OLD, { expires_in: 7200 }),
			b: withKey(OLD, { expires_in: 60 }),
		};
		const { text: published } = await publishing(file(entries, [OLD]), NEW);
		const only = (route: string) => ({ selection: { ...ALL, route } });
		const now = NOW + CACHE;
		const first = await activating(published, NEW, now, only("a"));
		expect(first.notes).toContain('key "old" stays: route b signs with it');
		const { text } = await activating(first.text, NEW, now + 1, only("b"));
		expect(publishedKeys(text)[0]?.x_custom_jwt_retirable).toBe(
			now + 1 + 7200 + MARGIN,
		);
	});

	test("whose kid is overridden get that of the new key", async () => {
		const text = file(
			{ a: { private_jwk: REFERENCE, active_kid: "old", key_id: "old" } },
			[OLD],
		);
		const { text: published } = await publishing(text, NEW);
		const { text: active } = await activating(
			published,
			undefined,
			NOW + CACHE,
		);
		const { config } = parse(active).services[0].routes[0].plugins[1];
		expect(config).toEqual({
			private_jwk: REFERENCE,
			active_kid: "new",
			key_id: "new",
		});
	});

	test.each([
		["the first", {}],
		["active_kid", { active_kid: "old" }],
	])(
		"that hold a private JWK Set, of which %s signs, sign with the new key of it until the old one is retired",
		async (_, more) => {
			const private_jwk = JSON.stringify({ keys: [OLD] });
			const source = file({ a: { private_jwk, ...more } }, [OLD]);
			const published = await publishing(source, NEW);
			const activated = await activating(published.text, NEW, NOW + CACHE);
			const keysIn = (text: string) =>
				JSON.parse(configOf(text).private_jwk).keys.map(({ kid }: JWK) => kid);
			expect(keysIn(activated.text)).toEqual(["new", "old"]);
			expect(configOf(activated.text).active_kid).toBe(
				"active_kid" in more ? "new" : undefined,
			);
			expect(await errorsIn(activated.text)).toEqual([]);
			const retired = await retiring(
				activated.text,
				activated.allowedAt ?? Number.NaN,
			);
			expect(keysIn(retired.text)).toEqual(["new"]);
			expect(await errorsIn(retired.text)).toEqual([]);
		},
	);
});

describe("a key in a vault", () => {
	const text = () =>
		file(
			{
				a: { private_jwk: REFERENCE },
				b: { private_jwk: REFERENCE, expires_in: 60 },
			},
			[OLD],
		);

	test("rotates without ever coming into the file", async () => {
		const published = await publishing(text(), NEW);
		expect(published.notes.join()).toContain(
			"put the private key into the vault in 11 min",
		);
		expect(await activating(published.text, undefined, NOW + 1)).toMatchObject({
			done: false,
		});
		const active = await activating(published.text, undefined, NOW + CACHE);
		expect(active.message).toContain("recorded");
		expect(publishedKeys(active.text)).toMatchObject([
			{ kid: "old", x_custom_jwt_retirable: NOW + CACHE + 1800 + MARGIN },
			{ kid: "new", x_custom_jwt_activated: NOW + CACHE },
		]);
		const retired = await retiring(active.text, NOW + CACHE + 1800 + MARGIN);
		expect(kids(retired.text)).toEqual(["new"]);
		for (const { text } of [published, active, retired]) {
			expect(text.split(REFERENCE)).toHaveLength(3);
			expect(text).not.toContain(NEW.d);
		}
	});

	test("that the file does not show among several is asked for", async () => {
		const two = file({ a: { private_jwk: REFERENCE } }, [OLD, THIRD]);
		const { text: published } = await publishing(two, NEW);
		await expect(activating(published, undefined, NOW + CACHE)).rejects.toThrow(
			"name it with --replaces",
		);
		const { text } = await activating(published, undefined, NOW + CACHE, {
			replaces: "third",
		});
		expect(
			publishedKeys(text).map((jwk) => jwk.x_custom_jwt_retirable && jwk.kid),
		).toEqual([undefined, "third", undefined]);
	});
});

test("a jku or JWK Set that decK fills in is named as what is not to be seen", async () => {
	// biome-ignore lint/suspicious/noTemplateCurlyInString: this is how decK writes it
	const variable = '${{ env "DECK_JWKS" }}';
	const jku = `${variable}/x-custom-jwt/jwks`;
	const text = file({ a: withKey(OLD, { jku }) }, [OLD]);
	await expect(publishing(text, NEW)).rejects.toThrow(
		"the jku of route a is a reference",
	);
	const { routes, ...rest } = parse(file({ a: withKey(OLD) }, [OLD]));
	routes[0].plugins[1].config.body = variable;
	await expect(
		publishing(JSON.stringify({ ...rest, routes }), NEW),
	).rejects.toThrow("the JWK Set of route jwks is a reference");
});

describe("any order of steps at any time", () => {
	test("leaves every token verifiable at a backend that caches the JWK Set", async () => {
		const LIFETIME = 1800;
		const steps = fc.array(
			fc.record({
				wait: fc.integer({ min: 0, max: 1500 }),
				step: fc.constantFrom("publish", "activate", "retire"),
				key: fc.constantFrom("old", "new", "third"),
			}),
			{ minLength: 4, maxLength: 12 },
		);
		const done = { publish: 0, activate: 0, retire: 0 };
		const property = fc.asyncProperty(steps, async (sequence) => {
			const keys: Record<string, JWK> = { old: OLD, new: NEW, third: THIRD };
			let now = NOW;
			let text = file({ a: withKey(OLD) }, [OLD]);
			// Which keys each version of the JWK Set had until when; which key signed until when.
			const sets = [{ until: Number.POSITIVE_INFINITY, kids: kids(text) }];
			const signed = new Map([["old", NOW]]);
			for (const { wait, step, key } of sequence) {
				now += wait;
				signed.set(signingKid(text, "a"), now);
				const outcome = await (step === "publish"
					? publishing(text, keys[key] ?? OLD, now)
					: step === "activate"
						? activating(text, keys[key], now)
						: retiring(text, now));
				if (outcome.done) {
					done[step as keyof typeof done]++;
					text = outcome.text;
					const last = sets.at(-1);
					if (last) last.until = now;
					sets.push({ until: Number.POSITIVE_INFINITY, kids: kids(text) });
				}
				signed.set(signingKid(text, "a"), now);
				const cached = sets.filter(({ until }) => until > now - CACHE);
				for (const [kid, last] of signed)
					if (last + LIFETIME > now)
						// Also a JWK Set that was fetched just before it changed.
						for (const set of cached) expect(set.kids).toContain(kid);
			}
		});
		await fc.assert(property, { numRuns: 60 });
		// Otherwise nothing was tried.
		for (const count of Object.values(done)) expect(count).toBeGreaterThan(0);
	});
});

describe("a file keeps its style:", () => {
	const steps = async (text: string) => {
		const published = (await publishing(text, NEW)).text;
		const active = (await activating(published, NEW, NOW + CACHE)).text;
		return (await retiring(active, NOW * 2)).text;
	};

	test("one-line texts stay on one line", async () => {
		const before = file({ a: withKey(OLD) }, [OLD]);
		const text = await steps(before);
		expect(text.split("\n")).toHaveLength(before.split("\n").length + 2);
		expect(signingKid(text, "a")).toBe("new");
	});

	test("line ends of Windows stay", async () => {
		const before = file({ a: withKey(OLD) }, [OLD]).replaceAll("\n", "\r\n");
		const text = await steps(before);
		expect(text.replaceAll("\r\n", "")).not.toMatch(/[\r\n]/);
		expect(kids(text)).toEqual(["new"]);
	});

	test("JSON stays JSON", async () => {
		const before = JSON.stringify(parse(file({ a: withKey(OLD) }, [OLD])));
		const text = await steps(before);
		expect(JSON.parse(text)).toEqual(parse(text));
		expect(kids(text)).toEqual(["new"]);
	});

	test("kong.yml is the same but for the keys", async () => {
		const text = await steps(KONG_YML);
		const rest = (yaml: string) =>
			yaml.replaceAll(/^ +(private_jwk|body): \|\n( +[{}"\]].*\n)+/gm, "");
		expect(rest(text)).toBe(rest(KONG_YML));
		expect(rest(text)).not.toContain('RS256",');
	});
});

describe("keys rotate, the command,", () => {
	let kongYml: string;
	let privateOut: string;
	let count = 0;
	beforeEach(() => {
		kongYml = join(folder, `kong-${++count}.yml`);
		privateOut = join(folder, `new-${count}.json`);
		writeFileSync(kongYml, KONG_YML);
	});
	const rotate = (step: string, ...args: string[]) =>
		run(["keys", "rotate", step, "--config", kongYml, ...args]);
	const read = (path: string) => readFileSync(path, "utf8");

	test("rotates kong.yml in three steps, to a file of the same mode, and says that others may read the key in it", async () => {
		chmodSync(kongYml, 0o640);
		const published = await rotate("publish", "--private-out", privateOut);
		expect(published).toMatchObject({ code: 0 });
		expect(published.stdout).toContain(
			`- ${kongYml} has a private key in it and others may read it: chmod 600`,
		);
		expect(statSync(privateOut).mode & 0o777).toBe(0o600);
		expect(JSON.parse(read(privateOut))).toMatchObject({ alg: "RS256" });
		const activate = ["--key", privateOut, "--force", "--json"];
		const active = await rotate("activate", ...activate);
		expect(active.code).toBe(0);
		expect(JSON.parse(active.stdout)).toMatchObject({
			done: true,
			files: [kongYml],
		});
		const refused = await rotate("retire");
		expect(refused).toMatchObject({ code: 1 });
		expect(refused.stdout).toMatch(/retire is allowed in 3[45] min/);
		expect(await rotate("retire", "--force")).toMatchObject({ code: 0 });
		expect(kids(read(kongYml))).toEqual([JSON.parse(read(privateOut)).kid]);
		expect(statSync(kongYml).mode & 0o777).toBe(0o640);
		expect(await run(["config", "check", kongYml])).toMatchObject({ code: 0 });
	});

	test("writes where a link points to only without a private key in the file", async () => {
		const link = join(folder, `link-${count}.yml`);
		symlinkSync(kongYml, link);
		const publish = [
			"keys",
			"rotate",
			"publish",
			"--config",
			link,
			"--private-out",
			privateOut,
		];
		for (const dry of [["--dry-run"], []])
			expect(await run([...publish, ...dry])).toMatchObject({
				code: 2,
				stderr: expect.stringContaining(
					`${link} is a symbolic link, and no private key is written through one; if its target is meant, give ${kongYml}`,
				),
			});
		expect(read(kongYml)).toBe(KONG_YML);
		expect(existsSync(privateOut)).toBe(false);

		const inVault = KONG_YML.replaceAll(
			/private_jwk: \|\n( +[{}"\]].*\n)+/g,
			`private_jwk: "${REFERENCE}"\n`,
		);
		writeFileSync(kongYml, inVault, { mode: 0o644 });
		const { code, stdout } = await run([...publish, "--alg", "RS256"]);
		expect(code).toBe(0);
		expect(stdout).not.toContain("chmod");
		expect(kids(read(kongYml))).toHaveLength(2);
		expect(lstatSync(link).isSymbolicLink()).toBe(true);
	});

	test("a new key is for what the present one is for", async () => {
		const svid = { ...OLD, use: "jwt-svid" };
		writeFileSync(kongYml, file({ a: withKey(svid) }, [svid]));
		await rotate("publish", "--private-out", privateOut);
		const made = { alg: "EdDSA", use: "jwt-svid" };
		expect(JSON.parse(read(privateOut))).toMatchObject(made);
		expect(publishedKeys(read(kongYml))).toMatchObject([made, made]);
	});

	test("names a file that it leaves readable for others with the new private key in it", async () => {
		const exposed = `${kongYml} has a private key in it and others may read it: chmod 600`;
		const activate = async (mode: number) => {
			writeFileSync(kongYml, KONG_YML);
			chmodSync(kongYml, mode);
			await rotate("publish", "--private-out", privateOut);
			const { stdout } = await rotate(
				"activate",
				"--key",
				privateOut,
				"--force",
				"--json",
			);
			rmSync(privateOut);
			return JSON.parse(stdout).notes;
		};
		expect(await activate(0o640)).toContain(exposed);
		expect(await activate(0o644)).toContain(exposed);
		expect(await activate(0o600)).not.toContain(exposed);
	});

	test("--dry-run shows a diff without private members and writes nothing", async () => {
		const shown = await rotate(
			"publish",
			"--private-out",
			privateOut,
			"--dry-run",
		);
		expect(shown.stdout).toMatch(/^\+ +"x_custom_jwt_published": \d+$/m);
		expect(shown.stdout).toContain("nothing was written");
		expect(existsSync(privateOut)).toBe(false);
		expect(read(kongYml)).toBe(KONG_YML);

		await rotate("publish", "--private-out", privateOut);
		const published = read(kongYml);
		const { stdout, stderr } = await rotate(
			"activate",
			"--key",
			privateOut,
			"--force",
			"--dry-run",
		);
		expect(stdout).toMatch(/^- {2}"kid": "kong"/m);
		expect(stdout).toContain('"d": "(private)"');
		expect(read(kongYml)).toBe(published);
		const old = JSON.parse(
			parse(KONG_YML).services[0].plugins[0].config.private_jwk,
		);
		for (const jwk of [old, JSON.parse(read(privateOut))])
			expect(
				secretsOf(jwk).filter((secret) => (stdout + stderr).includes(secret)),
			).toEqual([]);
	});

	test("writes over no private key", async () => {
		writeFileSync(privateOut, "precious");
		const { code, stderr } = await rotate(
			"publish",
			"--private-out",
			privateOut,
		);
		expect({ code, stderr }).toMatchObject({
			code: 2,
			stderr: expect.stringContaining("is there already"),
		});
		expect(read(privateOut)).toBe("precious");
		expect(read(kongYml)).toBe(KONG_YML);
	});

	test.each<[string, string, (text: string) => string, string[]]>([
		["YAML it cannot read", "not YAML that Kong could read", () => "a: [", []],
		[
			"no such plugin entry",
			"no plugin entry of x-custom-jwt there",
			() => KONG_YML,
			["--route", "nowhere"],
		],
		[
			"no route that serves the JWK Set",
			"no route here serves the JWK Set at the jku of service httpbin",
			(text) => text.replace("- /x-custom-jwt/jwks", "- /keys"),
			[],
		],
		[
			"no jku",
			"the jku of service httpbin is empty, so its JWK Set cannot be found",
			(text) => text.replace(/jku: .*/, 'jku: ""'),
			[],
		],
		[
			"a JWK Set that is no JSON",
			"not JSON: the text is cut off",
			(text) => text.replace('"keys": [', '"keys": ['.repeat(2)),
			[],
		],
		[
			"a JWK Set with a private key",
			"gives away a private key; see config check",
			(text) => text.replace(/("keys": \[\s+\{)/, '$1 "d": "AAAA",'),
			[],
		],
		[
			"a key that cannot sign",
			"private_jwk/d is missing",
			(text) => text.replace(/"d": .*/, ""),
			[],
		],
		[
			"both a key and a file for one",
			"one of --key and --private-out",
			() => KONG_YML,
			["--key", "x.json"],
		],
		[
			"a time that is none",
			"Seconds are expected",
			() => KONG_YML,
			["--cache-max-age", "soon"],
		],
	])("refuses %s", async (_, named, edit, args) => {
		const text = edit(KONG_YML);
		writeFileSync(kongYml, text);
		const { code, stderr } = await rotate(
			"publish",
			"--private-out",
			privateOut,
			...args,
		);
		expect({ code, stderr }).toMatchObject({
			code: 2,
			stderr: expect.stringContaining(named),
		});
		expect(read(kongYml)).toBe(text);
		expect(existsSync(privateOut)).toBe(false);
	});
});
