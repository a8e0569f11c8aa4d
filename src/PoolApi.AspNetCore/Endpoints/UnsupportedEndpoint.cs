using Microsoft.AspNetCore.Builder;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>Endpoints whose work cannot run on a pool: they are a connection, not a request with an answer.</summary>
internal static class UnsupportedEndpoint
{
    /// <exception cref="InvalidOperationException">It is one of those.</exception>
    public static void ThrowIfAny(EndpointBuilder endpoint)
    {
        foreach (object metadata in endpoint.Metadata)
        {
            // By name: neither package is one of this library's.
            string? instead = metadata.GetType().FullName switch
            {
                "Microsoft.AspNetCore.SignalR.HubMetadata" => "A hub's methods run while its connection stays open; call pool.RunAsync(…) in the method",
                "Grpc.AspNetCore.Server.GrpcMethodMetadata" => "A gRPC call streams in both directions; call pool.RunAsync(…) in the method",
                "Microsoft.AspNetCore.Http.Connections.NegotiateMetadata" => "It negotiates a connection, whose work runs while it stays open; call pool.RunAsync(…) in the hub's method",
                _ => null,
            };
            if (instead is not null) throw new InvalidOperationException($"The endpoint '{endpoint.DisplayName}' cannot run on a pool. {instead}.");
        }
    }
}
