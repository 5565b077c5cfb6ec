import {
	claimOrigin,
	decodeToken,
	pastedToken,
	tamperedToken,
	timeInWords,
	visible,
} from "../../../../local/inspector/page/token";

const part = (value: unknown) =>
	Buffer.from(
		typeof value === "string" ? value : JSON.stringify(value),
	).toString("base64url");

const TOKEN = `${part({ alg: "RS256" })}.${part({ client_id: "zoë" })}.c2ln`;

describe("decodeToken", () => {
	test("reads header and claims, in UTF-8, of an unverified token", () => {
		expect(decodeToken(TOKEN)).toMatchObject({
			header: { alg: "RS256" },
			claims: { client_id: "zoë" },
		});
	});

	test.each([
		["let me in", /three parts .* this has 1/],
		["a.b", /this has 2/],
		["a.b.c.d.e", /encrypted token \(JWE\)/],
		["a.b.c.d.e.f", /this has 6/],
		["!.e30.", /“header” is not text in base64url/],
		[`${part({})}.${Buffer.from([0xff]).toString("base64url")}.`, /“claims”/],
		[`${part("{")}.${part({})}.`, /“header” is not JSON/],
		[`${part({})}.${part([])}.`, /“claims” is not a JSON object/],
		[`${part({})}.${part("null")}.`, /“claims” is not a JSON object/],
	])("refuses %s", (text, message) => {
		expect(() => decodeToken(text)).toThrow(message);
	});
});

test.each([
	` ${TOKEN}\n`,
	`"${TOKEN}"`,
	`Bearer ${TOKEN}`,
	`authorization: bearer ${TOKEN}`,
	`X-Custom-Jwt: ${TOKEN}`,
	`${TOKEN.slice(0, 9)}\r\n  ${TOKEN.slice(9)}`,
])("the token is found in what was pasted: %j", (text) => {
	expect(pastedToken(text)).toBe(TOKEN);
});

test("tampering changes client_id and keeps header and signature", () => {
	const tampered = decodeToken(tamperedToken(decodeToken(TOKEN)));
	expect(tampered.claims).toEqual({ client_id: "zoë, tampered" });
	const [header, , signature] = TOKEN.split(".");
	expect(tampered.parts).toMatchObject({ 0: header, 2: signature });
});

describe("where claims came from", () => {
	const registered = { iss: "", iat: 1, exp: 2, aud: "", jti: "" };
	const origins = (claims: Record<string, unknown>) =>
		Object.fromEntries(
			Object.keys(claims).map((name) => [name, claimOrigin(name, claims)]),
		);

	test("of a credential's token", () => {
		expect(origins({ ...registered, client_id: "my-user", act: {} })).toEqual({
			iss: "configuration",
			aud: "configuration",
			exp: "configuration",
			iat: "plugin",
			jti: "plugin",
			client_id: "credential",
			act: "consumer",
		});
	});

	test("of a token made from an incoming one", () => {
		expect(
			origins({ clientId: "shop", sub: "alice", client_id: "shop" }),
		).toEqual({
			clientId: "incoming token",
			sub: "incoming token",
			client_id: "incoming token",
		});
	});

	test("both answers are given when the token does not tell", () => {
		expect(
			origins({ ...registered, client_id: "a", tenant: "b" }),
		).toMatchObject({
			client_id: "credential or incoming token",
			tenant: "configuration or incoming token",
		});
	});
});

test.each([
	["exp", 1_000 + 1_797, "expires in 29 min 57 s"],
	["exp", 1_000 + 3_600, "expires in 1 h"],
	["exp", 1_000 - 90_061, "expired 1 d 1 h ago"],
	["exp", 1_000, "expired 0 s ago"],
	["exp", 1_000 + 366 * 86_400, "expires in 1 y 1 d"],
	["iat", 997.4, "issued 3 s ago"],
	["nbf", 1_005, "valid in 5 s"],
	["auth_time", 940, "authenticated 1 min ago"],
	["exp", "tomorrow", "not a time in seconds"],
	["exp", 1e300, "not a time in seconds"],
	["exp", null, "not a time in seconds"],
	["sub", 1_000, undefined],
])("%s %p in words", (name, value, words) => {
	expect(timeInWords(name, value, 1_000)).toBe(words);
});

test("characters that hide or turn text become escapes, all others stay", () => {
	expect(visible("zoë 鍵\n<b>\u202Eevil\u0000\u200B\u2028")).toBe(
		"zoë 鍵\n<b>\\u{202E}evil\\u{0}\\u{200B}\\u{2028}",
	);
});
