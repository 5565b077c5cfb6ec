import { bindingQuestions, requestClaims } from "../../core/binding";
import { Facts, type Question } from "../../plugins/x-custom-jwt/facts";
import { answer, factsOf, type KnownRequest } from "../../support/facts";
import { claimsFor, run } from "../../support/run";
import { requests, unsignedToken } from "../../support/samples";

const MAX = 1000;

async function bind(request: KnownRequest) {
	return requestClaims(await factsOf(request, bindingQuestions(MAX)), MAX);
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

	test.each([
		["http://api.example:80/a", "http://api.example/a"],
		["https://api.example:443/a", "https://api.example/a"],
		["http://api.example:443/a", "http://api.example:443/a"],
		["https://api.example:80/a", "https://api.example:80/a"],
		["http://api.example:8000/", "http://api.example:8000/"],
	])(
		"the URL without a port that is the scheme's default: %s is %s",
		async (url, htu) => {
			expect((await bind({ url })).htu).toBe(htu);
		},
	);

	test.each(["orders.example#", "a@b", "a?b", "a/b", "[::1", ""])(
		"no URL of a Host that is none: %j is 401",
		async (host) => {
			await expect(bind({ host })).rejects.toMatchObject({ status: 401 });
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
			const facts = new Facts(async (questions) =>
				questions.map(({ about }) =>
					about === "path"
						? path
						: answer({ url: "http://kong:8000/" }, { about } as Question),
				),
			);
			await facts.learn(bindingQuestions(MAX));
			expect(() => requestClaims(facts, MAX)).toThrow("bind_request: the path");
		},
	);

	test.each(["/{a}|b", "/caf\u00e9", "//a", "/a;b=c"])(
		"any other path as it is: %s",
		async (path) => {
			const facts = new Facts(async (questions) =>
				questions.map(({ about }) =>
					about === "path" ? path : answer({}, { about } as Question),
				),
			);
			await facts.learn(bindingQuestions(MAX));
			expect(requestClaims(facts, MAX).htu).toBe(`http://kong:8000${path}`);
		},
	);

	test("the path as the client sent it, percent-encoded, not as Kong decodes it", async () => {
		const path = "/t/Abc%20123%C3%B8%2F/%FF/";
		const { htu } = await bind({ url: `http://kong:8000${path}?q=1` });
		expect(htu).toBe(`http://kong:8000${path}`);
	});

	test.each([
		["no body", "", EMPTY],
		[
			"the text of RFC 9530's examples",
			'{"hello": "world"}\n',
			"sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:",
		],
		[
			"a text beyond ASCII",
			"Zoë",
			"sha-256=:xqEmmFgvwRBOokEHotcmgUX/Bu+FlwdynQH9BgiX8Gc=:",
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
	test.each([0, 1, MAX])("may have %d bytes", async (length) => {
		const headers = { "content-length": String(length) };
		const body = "x".repeat(length);
		await expect(bind({ body, headers })).resolves.toBeDefined();
		await expect(bind({ body })).resolves.toBeDefined();
	});

	test("that is larger is refused", async () => {
		// Fewer characters than the limit, but more bytes.
		for (const body of ["x".repeat(MAX + 1), "é".repeat(MAX / 2 + 1)])
			await expect(bind({ body })).rejects.toMatchObject({
				status: 413,
			});
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

	test("that Kong does not give is not taken for an empty one", async () => {
		const facts = new Facts(async (questions) =>
			questions.map(() => undefined),
		);
		await facts.learn(bindingQuestions(MAX));
		expect(() => requestClaims(facts, MAX)).toThrow("no body");
	});
});
