import { claimOrigin } from "../../../../local/inspector/page/claim-origin";

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
