import { createHash } from "node:crypto";
import { consumerOf } from "../entities";
import { securityStandIn } from "./stand-in";

/** Kong's basic-auth, reading `Authorization` only. */
export const basicAuth = securityStandIn(
	1100,
	{ hide_credentials: { type: "boolean", default: false } },
	(request, { hide_credentials }, { configuration }) => {
		const encoded = /\s*basic\s*(.+)/i.exec(
			request.header("authorization") ?? "",
		)?.[1];
		const [, username, password] =
			/^([^:]+):(.*)$/s.exec(
				Buffer.from(encoded ?? "", "base64").toString("utf8"),
			) ?? [];
		if (hide_credentials) request.setHeader("authorization", undefined);
		const credential = configuration.basicAuthCredentials.find(
			(candidate) => candidate.username === username,
		);
		const digest = createHash("sha1")
			.update(`${password}${credential?.consumer.id}`)
			.digest("hex");
		if (!username || !credential || credential.password !== digest)
			return request.error(401, "Unauthorized", {
				"www-authenticate": 'Basic realm="service"',
			});
		request.authenticate(
			consumerOf(configuration, credential),
			credential,
			username,
		);
	},
);
