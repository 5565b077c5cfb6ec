import { X509Certificate } from "node:crypto";
import type { Exit } from "../request";
import { securityStandIn } from "./stand-in";

/**
 * Stand-in for the Enterprise plugin mtls-auth: a client certificate issued by one of the
 * configured CAs, the consumer found by its common name (CN).
 */
export const mtlsAuth = securityStandIn(
	1600,
	{
		ca_certificates: { type: "array", items: { type: "string" } },
		consumer_by: { type: "array", items: { const: "username" } },
		skip_consumer_lookup: { type: "boolean", const: false },
	},
	(request, { ca_certificates = [] }, { configuration }) => {
		const chain = request.client?.chain;
		if (!chain) return unauthorized("No required TLS certificate was sent");
		const certificate = new X509Certificate(chain);
		const trusted = ca_certificates.some((id) => {
			const ca = configuration.caCertificates.get(id);
			return ca && certificate.verify(new X509Certificate(ca).publicKey);
		});
		if (!trusted) return unauthorized("TLS certificate failed verification");
		// kong.client.tls.set_client_verify (Kong fact).
		request.ngxCtx.CLIENT_VERIFY_OVERRIDE = "SUCCESS";
		const commonName = /^CN=(.*)$/m.exec(certificate.subject)?.[1];
		const consumer = configuration.consumers.find(
			({ username }) => username === commonName,
		);
		if (!consumer) return unauthorized("Unauthorized");
		request.authenticate(consumer, { id: consumer.id }, consumer.id);
	},
);

function unauthorized(message: string): Exit {
	return { status: 401, body: { message } };
}
