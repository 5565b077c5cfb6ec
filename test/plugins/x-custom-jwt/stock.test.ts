import type { Decision } from "../../../core/decisions";
import * as ask from "../../../core/questions";
import { Plugin } from "../../../plugins/x-custom-jwt";
import { askStock, carryOut } from "../../../plugins/x-custom-jwt/stock";
import type { KnownRequest } from "../../support/facts";
import { fakeKong } from "../../support/fake-kong";
import { verify } from "../../support/run";
import {
	consumer,
	credentials,
	rawConfig,
	requests,
	route,
	service,
} from "../../support/samples";

const request: KnownRequest = {
	credential: credentials.key,
	consumer,
	service,
	route,
	ip: "192.0.2.7",
	method: "PUT",
	url: "https://api.example:8443/a%20b?q=1",
	headers: { "x-a": "b" },
	vars: { ssl_client_verify: "NONE" },
	ctx: { authenticated_groups: 1 },
	shared: { authenticated_jwt_token: 2 },
	certificate: "PEM",
};

test.each<[ask.Question, string[], unknown]>([
	[ask.CREDENTIAL, ["client.getCredential"], credentials.key],
	[ask.CONSUMER, ["client.getConsumer"], consumer],
	[ask.SERVICE, ["router.getService"], service],
	[ask.ROUTE, ["router.getRoute"], route],
	[ask.FORWARDED_IP, ["client.getForwardedIp"], "192.0.2.7"],
	[ask.FORWARDED_SCHEME, ["request.getForwardedScheme"], "https"],
	[ask.FORWARDED_HOST, ["request.getForwardedHost"], "api.example"],
	[ask.FORWARDED_PORT, ["request.getForwardedPort"], 8443],
	[ask.METHOD, ["request.getMethod"], "PUT"],
	[ask.PATH, ["request.getRawPath"], "/a%20b"],
	[ask.CERTIFICATE, ["client.tls.getFullClientCertificateChain"], "PEM"],
	[ask.header("X-A"), ["request.getHeader", "X-A"], "b"],
	[ask.queryArgument("q"), ["request.getQueryArg", "q"], "1"],
	[ask.VERIFIED_BY_LISTENER, ["nginx.getVar", "ssl_client_verify"], "NONE"],
	[ask.CTX_GROUPS, ["nginx.getCtx", "authenticated_groups"], 1],
	[ask.VALIDATED_TOKEN, ["ctx.shared.get", "authenticated_jwt_token"], 2],
])("the stock server answers %j by %j", async (question, call, answer) => {
	const kong = fakeKong(request);
	expect(await askStock(kong)([question])).toEqual([answer]);
	expect(kong.calls).toEqual([call]);
});

test("questions are asked one after another, as answers of calls made at once can be mixed up", async () => {
	const kong = fakeKong(request);
	let waiting = 0;
	kong.request.getHeader = async (name) => {
		waiting += 1;
		expect(waiting).toBe(1);
		await Promise.resolve();
		waiting -= 1;
		return name;
	};
	const names = ["a", "b", "c"];
	const questions = names.map((name) => ask.header(name));
	expect(await askStock(kong)(questions)).toEqual(names);
});

test("the path has no fragment, which Kong leaves there", async () => {
	const kong = fakeKong(request);
	kong.request.getRawPath = async () => "/a%20b#c";
	expect(await askStock(kong)([ask.PATH])).toEqual(["/a%20b"]);
});

describe("the digest of a body", () => {
	const digestOf = async (of: KnownRequest) => {
		const kong = fakeKong(of);
		const [digest] = await askStock(kong)([ask.bodyDigest(1000)]);
		return { digest, calls: kong.calls.map(([name]) => name) };
	};
	const EMPTY = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
	const CALLS = ["request.getRawBody"];

	test("is of the bytes", async () => {
		const digest = { sha256: EMPTY };
		expect(await digestOf({ body: "" })).toEqual({ digest, calls: CALLS });
		const body = "x".repeat(1000);
		expect((await digestOf({ body })).digest).toHaveProperty("sha256");
	});

	test.each(["x".repeat(1001), "é".repeat(501)])(
		"is not had of one that turns out to be larger",
		async (body) => {
			const digest = { tooLarge: true };
			expect(await digestOf({ body })).toEqual({ digest, calls: CALLS });
		},
	);

	test("is not that of an empty one when Kong has none", async () => {
		expect((await digestOf({})).digest).toBeUndefined();
	});
});

describe("a decision is carried out", () => {
	const decision: Decision = {
		log: [{ level: "info", message: "started" }],
		logValues: [["x_custom_jwt", { jti: "1" }]],
		clearedHeaders: ["X-Gone"],
		upstreamHeaders: [["X-Custom-Jwt", "token"]],
		downstreamHeaders: [["X-Token", "token"]],
	};

	test("in the order of its members", async () => {
		const kong = fakeKong(request);
		await carryOut(kong, decision);
		expect(kong.calls).toEqual([
			["log.info", "started"],
			["log.setSerializeValue", "x_custom_jwt", { jti: "1" }],
			["service.request.clearHeader", "X-Gone"],
			["service.request.setHeader", "X-Custom-Jwt", "token"],
			["response.setHeader", "X-Token", "token"],
		]);
	});

	test("up to the exit, as Kong answers no later PDK call", async () => {
		const kong = fakeKong(request);
		const exit = { status: 401, headers: { A: "b" }, body: { message: "no" } };
		await carryOut(kong, { ...decision, exit });
		expect(kong.calls.at(-1)).toEqual([
			"response.exit",
			401,
			{ message: "no" },
			{ A: "b" },
		]);
	});
});

describe("on the stock server", () => {
	const EXIT = "response.exit";
	const access = async (of: KnownRequest, failing = {}, config = {}) => {
		const kong = fakeKong(of, failing);
		await new Plugin(rawConfig(config)).access(kong);
		return kong.calls;
	};

	test("the backend gets a token", async () => {
		const [name, header, token] = (await access(requests.key)).at(-1) ?? [];
		expect([name, header]).toEqual([
			"service.request.setHeader",
			"X-Custom-Jwt",
		]);
		await verify(String(token));
	});

	test.each([
		["basic", 7],
		["key", 7],
		["oauth2", 7],
		["jwt", 8],
	] as const)(
		"a request of %s takes %d round trips to Kong",
		async (method, calls) => {
			const plugin = new Plugin(rawConfig());
			// The first one also brings the warnings about the configuration.
			await plugin.access(fakeKong(requests[method]));
			const kong = fakeKong(requests[method]);
			await plugin.access(kong);
			expect(kong.calls).toHaveLength(calls);
		},
	);

	const SECRET = "secret-that-only-Kong-knows";
	const boom = new Error(SECRET);

	test.each([
		["client.getConsumer", {}],
		["router.getService", {}],
		["service.request.setHeader", {}],
		["response.setHeader", { downstream_custom_jwt_header: "X-Token" }],
		["log.setSerializeValue", { log_claims: ["jti"] }],
	])(
		"a request ends with 500, without the error's text, when %s fails",
		async (call, config) => {
			const calls = await access(requests.key, { [call]: boom }, config);
			expect(calls.at(-1)?.slice(0, 2)).toEqual([EXIT, 500]);
			expect(JSON.stringify(calls)).not.toContain(SECRET);
		},
	);

	test.each([
		["log.warn", 401, { service }],
		["log.err", 500, { ...requests.key, service: undefined }],
	])("a request ends though %s fails", async (call, status, of) => {
		const calls = await access(of, { [call]: boom });
		expect(calls.at(-1)?.slice(0, 2)).toEqual([EXIT, status]);
	});
});
