import { writeFileSync } from "node:fs";
import { join } from "node:path";
import {
	dedicatedServer,
	stockServer,
} from "../../local/gateway/plugin-server";
import { logLine } from "../../plugins/x-custom-jwt/log-line";
import { createLog, LOG_LEVELS } from "../../pluginserver/log";
import { warnOfFewFiles } from "../../pluginserver/server";
import privateJwk from "../../test-keys/ES256-jwk-private.json";
import rsaJwk from "../../test-keys/RS256-jwk-private.json";
import { clientOf, nobody, SET_HEADER, StockClient } from "../support/client";
import {
	type ServerProcess,
	startServer,
	temporaryFolder,
	until,
} from "../support/server";

const DEDICATED = dedicatedServer();
const STOCK = stockServer();

const JWK = JSON.stringify(privateJwk);
const RSA_JWK = JSON.stringify(rsaJwk);

/** Values of a private key that nobody may see, in pieces that a cut or a quote would leave. */
function piecesOf(text: string): string[] {
	const pieces: string[] = [];
	for (let at = 0; at + 8 <= text.length; at += 4)
		pieces.push(text.slice(at, at + 8));
	return pieces;
}

const KEY_MEMBERS = ["d", "p", "q", "dp", "dq", "qi"] as const;
const SECRET_PIECES = [
	...piecesOf(privateJwk.d),
	...KEY_MEMBERS.flatMap((member) => piecesOf(rsaJwk[member])),
];

/** A whole session: keys good and bad, clients accepted and refused; gives its tokens. */
async function runSession(server: ServerProcess): Promise<string[]> {
	const client = await server.connect();
	const ids = [
		await client.startInstance({ private_jwk: JWK }),
		await client.startInstance({ private_jwk: RSA_JWK, verbose: true }),
	];
	const tokens: string[] = [];
	for (const id of ids) {
		const calls = await client.runPhase(id, clientOf("the-api-key"));
		const call = calls.find(({ method }) => method === SET_HEADER);
		tokens.push(String(call?.args[1]));
		await client.runPhase(id, nobody);
	}
	const bad = [
		JWK.slice(0, -20),
		JWK.replace(`"${privateJwk.d}"`, privateJwk.d),
		JSON.stringify({ ...privateJwk, d: [privateJwk.d] }),
		JSON.stringify({ ...privateJwk, kty: privateJwk.d }),
		JSON.stringify({ ...privateJwk, x: privateJwk.d }),
		JSON.stringify({ ...rsaJwk, n: rsaJwk.d }),
		privateJwk.d,
	];
	for (const private_jwk of bad) {
		const id = await client.startInstance({ private_jwk });
		await client.runPhase(id, nobody);
	}
	// Not even JSON, or not for this plugin.
	for (const [name, json] of [
		["x-custom-jwt", `{"private_jwk":${JWK}x`],
		["x-custom-jwt", JSON.stringify(JWK)],
		["another", JSON.stringify({ private_jwk: JWK })],
	] as const)
		await client.runPhase(await client.startInstanceOf(name, json), nobody);
	for (const instance_id of ids)
		await client.call({ cmd_close_instance: { instance_id } });
	return tokens;
}

/** Secrets that stand in what a server printed. */
function secretsIn(output: string, tokens: string[]): string[] {
	const secrets = [...SECRET_PIECES, ...tokens, "the-api-key"];
	return secrets.filter((secret) => output.includes(secret));
}

describe("a session at the level debug", () => {
	let server: ServerProcess;
	let tokens: string[];

	beforeAll(async () => {
		server = await startServer(DEDICATED, ["--log-level", "debug"]);
		tokens = await runSession(server);
		server.signal("SIGTERM");
		await server.exited;
	});

	test("gives no key, no token and no API key away", () => {
		expect(tokens).toHaveLength(2);
		expect(secretsIn(server.output, tokens)).toEqual([]);
	});

	test("is lines of plain key=value pairs", () => {
		const value = String.raw`(?:[\w./:@+-]+|"(?:[^"\\]|\\.)*")`;
		const line = RegExp(
			String.raw`^level=(debug|info|warn|error)( \w+=${value})+$`,
		);
		const lines = server.lines(/./);
		expect(lines.filter((text) => !line.test(text))).toEqual([]);
		expect(server.output).not.toContain("\u001b");
	});

	test("has one line for its start and one for its end", () => {
		expect(server.lines(/msg=started/)).toEqual([
			expect.stringMatching(
				`^level=info msg=started socket=${server.socketPath} version=[\\d.]+ pid=${server.pid}$`,
			),
		]);
		expect(server.lines(/msg=stopped/)).toHaveLength(1);
	});

	test("has a line with key ID and algorithm for each instance's start and stop", () => {
		const { kid } = privateJwk;
		for (const message of ["instance started", "instance stopped"]) {
			const lines = server.lines(RegExp(message));
			const about = (alg: string, id: string) =>
				expect.stringMatching(
					`^level=info msg="${message}" instance=\\d+ kid=${id} alg=${alg}$`,
				);
			expect(lines).toEqual([about("ES256", kid), about("RS256", rsaJwk.kid)]);
		}
	});

	test("has a line for each configuration that cannot be used", () => {
		expect(server.lines(/level=error .*cannot be used/)).toHaveLength(10);
	});
});

test("the stock server logs the private key with -v -v, for comparison", async () => {
	const server = await startServer(STOCK, ["-v", "-v"]);
	const client = new StockClient(server.socketPath);
	await client.startInstance({ private_jwk: JWK });
	await until("it is logged", () => server.output.includes(privateJwk.d));
	await client.close();
	await server.kill();
});

test("refusals are counted by reason, and told one by one by Kong alone", async () => {
	const server = await startServer(DEDICATED);
	const client = await server.connect();
	const instance = await client.startInstance({ private_jwk: JWK });
	for (let request = 0; request < 1000; request++)
		await client.runPhase(instance, nobody);
	server.signal("SIGTERM");
	await server.exited;
	const counts = server.lines(/refused/).map((line) => {
		const [, count] =
			/^level=warn msg="requests refused" reason=nobody_authenticated count=(\d+)$/.exec(
				line,
			) ?? [];
		return Number(count);
	});
	expect(counts.reduce((sum, count) => sum + count)).toBe(1000);
	// One a second at most, on a busy machine too.
	expect(counts.length).toBeLessThan(200);
});

describe("a log line", () => {
	/** What a log of a level writes. */
	function written(
		least: (typeof LOG_LEVELS)[number],
		...entry: Parameters<ReturnType<typeof createLog>>
	): string {
		let output = "";
		createLog(least, (line) => {
			output += line;
		})(...entry);
		return output;
	}

	test.each([
		["plain", { id: "a-b.c/d:1" }, "id=a-b.c/d:1"],
		["of several words", { id: "a b" }, 'id="a b"'],
		["with a line feed", { id: "a\nlevel=info" }, 'id="a\\nlevel=info"'],
		["with a quote", { id: 'a"b' }, 'id="a\\"b"'],
		["with a colour", { id: "\u001b[31m" }, 'id="\\u001b[31m"'],
		[
			"with a control character",
			{ id: "\u009b2J\u202e" },
			'id="\\u009b2J\\u202e"',
		],
		["that is empty", { id: "" }, 'id=""'],
		["that is a number", { id: 7 }, "id=7"],
	])("keeps a value %s in its place", (_, fields, text) => {
		expect(written("info", "info", "hello", fields)).toBe(
			`level=info msg=hello ${text}\n`,
		);
	});

	test("in Kong's log is one line too, and a short one", () => {
		expect(logLine("a\nb\u001b[31m\u2028é")).toBe(
			"a\\u000ab\\u001b[31m\\u2028é",
		);
		expect(logLine("x".repeat(1e6)).length).toBeLessThan(2000);
	});

	test("leaves out what is absent", () => {
		expect(written("info", "info", "hello", { kid: undefined })).toBe(
			"level=info msg=hello\n",
		);
	});

	test("is short, however long a value is", () => {
		const line = written("info", "info", "hello", { id: "x".repeat(1e6) });
		expect(line.length).toBeLessThan(2000);
	});

	test("is written from its level on", () => {
		const levels = LOG_LEVELS.filter((level) => written("warn", level, "x"));
		expect(levels).toEqual(["warn", "error"]);
	});
});

describe("too few open files for 10,000 requests in flight", () => {
	const warnings = (limits: string) => {
		const path = join(temporaryFolder(), "limits");
		writeFileSync(path, limits);
		const lines: unknown[] = [];
		warnOfFewFiles((level, _, fields) => lines.push([level, fields]), path);
		return lines;
	};
	const line = (limit: string) =>
		`Limit   Soft Limit  Hard Limit  Units\nMax open files  ${limit}  ${limit}  files\n`;

	test("are said at the start, enough are not", () => {
		expect(warnings(line("1024"))).toEqual([
			["warn", { limit: "1024", wanted: 11_000 }],
		]);
		for (const limit of ["11000", "1048576", "unlimited"])
			expect(warnings(line(limit))).toEqual([]);
	});

	test("are said nowhere by a system that does not tell", () => {
		const lines: unknown[] = [];
		warnOfFewFiles((level) => lines.push(level), "/nonexistent");
		expect(lines).toEqual([]);
	});
});
