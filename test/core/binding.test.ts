import { bindingQuestions, requestClaims } from "../../core/binding";
import type { Question } from "../../core/questions";
import { AskedFacts } from "../../plugins/x-custom-jwt/facts";
import { nodePlatform } from "../../plugins/x-custom-jwt/platform";
import { answer, type KnownRequest } from "../support/facts";
import { unauthorized } from "../support/refusals";
import { claimsFor, run } from "../support/run";
import { requests, unsignedToken } from "../support/samples";

const MAX = 1000;

/** The claims that bind a token to a request, of which some answers may be others. */
async function bind(
	request: KnownRequest,
	others: Partial<Record<Question["about"], unknown>> = {},
): Promise<Record<string, unknown>> {
	const facts = new AskedFacts(async (questions) =>
		questions.map((question) =>
			question.about in others
				? others[question.about]
				: answer(request, question),
		),
	);
	await facts.learn(bindingQuestions(MAX));
	return Object.fromEntries(requestClaims(facts, MAX, nodePlatform));
}

/** As RFC 9530 writes it, made by OpenSSL's command line. */
const EMPTY = "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:";

describe("a bound token has", () => {
	test("method, URL and digest of the request", async () => {
		const request = {
			method: "PATCH",
			url: "https://api.example:8443/orders/7?secret=1",
		};
		expect(await bind(request)).toEqual({
			htm: "PATCH",
			htu: "https://api.example:8443/orders/7",
			content_digest: EMPTY,
		});
	});

	test.each(["orders.example#", "a@b", "a?b", "a/b", "[::1", ""])(
		"no URL of a Host that is none: %j is 401",
		async (host) => {
			await expect(bind({ host })).rejects.toEqual(
				unauthorized("bind_request: the Host header"),
			);
		},
	);

	test.each(["[::1]", "Orders_1.example-", "192.0.2.7"])(
		"the URL of any Host that is one: %s",
		async (host) => {
			expect(await bind({ host })).toMatchObject({
				htu: `http://${host}:8000/`,
			});
		},
	);

	test.each([
		"/a\\..\\admin",
		"/a b",
		"/a\tb",
		"/a\u0000",
		"/a\u0085b",
		"/a#b",
		"/a?b",
		"a",
		"http://other.example/a",
	])(
		"no URL of a path that readers disagree about: %j is 401",
		async (path) => {
			await expect(bind({}, { path })).rejects.toEqual(
				unauthorized("bind_request: the path"),
			);
		},
	);

	test.each(["/{a}|b", "/caf\u00e9", "//a", "/a;b=c", "/%20%C3%B8%2F/%FF/"])(
		"any other path as the client sent it, not as Kong decodes it: %s",
		async (path) => {
			expect((await bind({}, { path })).htu).toBe(`http://kong:8000${path}`);
		},
	);

	test.each([
		["no body", "", EMPTY],
		[
			"the text of RFC 9530's examples",
			'{"hello": "world"}\n',
			"sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:",
		],
		[
			"bytes that are no UTF-8",
			Uint8Array.of(0xff, 0x00, 0xfe),
			"sha-256=:r5zt3J2LCKwJ4ZlL/SBFm143dCXfc1TfzjUBmSgopbc=:",
		],
	])("the digest of %s", async (_, body, digest) => {
		expect((await bind({ body })).content_digest).toBe(digest);
	});

	test("these claims even when the incoming token has others of their names", async () => {
		const copied = { htm: "GET", htu: "https://evil.example", sub: "alice" };
		const claims = { clientId: "a", ...copied, content_digest: "sha-256=:x:" };
		const request = {
			...requests.jwt,
			method: "POST",
			shared: { authenticated_jwt_token: unsignedToken(claims) },
		};
		expect(await claimsFor(request, { bind_request: true })).toMatchObject({
			sub: "alice",
			htm: "POST",
			htu: "http://kong:8000/",
			content_digest: EMPTY,
		});
	});
});

test("no token is bound unless the configuration says so", async () => {
	const claims = await claimsFor(requests.key);
	for (const claim of ["htm", "htu", "content_digest"])
		expect(claims).not.toHaveProperty(claim);
});

describe("the body of a bound request", () => {
	test("may have as many bytes as max_request_body_size, and no more", async () => {
		await expect(bind({ body: "x".repeat(MAX) })).resolves.toBeDefined();
		// Fewer characters than the limit, but more bytes.
		for (const body of ["x".repeat(MAX + 1), "é".repeat(MAX / 2 + 1)])
			await expect(bind({ body })).rejects.toMatchObject({ status: 413 });
	});

	test("that is too large is answered by 413 and a warning that names the field, and nothing is signed", async () => {
		const request = { ...requests.key, body: "x".repeat(MAX + 1) };
		const config = { bind_request: true, max_request_body_size: MAX };
		const seen = await run(request, { ...config, verbose: true });
		const detail = expect.stringMatching(
			/^bind_request: .* 1000 bytes; see max_request_body_size$/,
		);
		expect(seen).toMatchObject({
			exit: { status: 413, body: { message: "Payload too large", detail } },
			logs: [{ level: "warn", message: detail }],
			upstreamHeaders: {},
		});
	});

	test("that says it is too large is rejected before it is asked for, so that Kong does not wait for it", async () => {
		const headers = { "content-length": String(MAX + 1) };
		const config = { bind_request: true, max_request_body_size: MAX };
		const { exit, rounds } = await run({ ...requests.key, headers }, config);
		expect(exit?.status).toBe(413);
		expect(rounds.flat()).not.toContain("body_digest");
	});

	test("that Kong does not give is not taken for an empty one", async () => {
		await expect(bind({}, { body_digest: undefined })).rejects.toMatchObject({
			status: 500,
			message: expect.stringContaining("no body"),
		});
	});
});
