using Microsoft.AspNetCore.Builder;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>Rejects endpoints that cannot run on a pool, because they are a connection and not a request with a response.</summary>
internal static class UnsupportedEndpoint
{
    /// <exception cref="InvalidOperationException">The endpoint cannot run on a pool.</exception>
    public static void ThrowIfAny(EndpointBuilder endpoint)
    {
        foreach (object metadata in endpoint.Metadata)
        {
            // By name: the types are internal, or of a package that this library does not reference.
            string? instead = metadata.GetType().FullName switch
            {
                "Microsoft.AspNetCore.SignalR.HubMetadata" => "A hub's methods run while its connection stays open; call pool.RunAsync(…) in the method",
                "Grpc.AspNetCore.Server.GrpcMethodMetadata" => "A gRPC call writes its response itself; call pool.RunAsync(…) in the method",
                "Microsoft.AspNetCore.Http.Connections.NegotiateMetadata" => "It negotiates a connection, whose work runs while it stays open; call pool.RunAsync(…) in the hub's method",
                _ => null,
            };
            if (instead is not null) throw new InvalidOperationException($"The endpoint '{endpoint.DisplayName}' cannot run on a pool. {instead}.");
        }
    }
}
