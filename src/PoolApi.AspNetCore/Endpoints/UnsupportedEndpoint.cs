using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>Finds endpoints that cannot run on a pool, because they are a connection and not a request with a response.</summary>
internal static class UnsupportedEndpoint
{
    private static readonly ConditionalWeakTable<Endpoint, string> Alternatives = []; // the alternative; empty: the endpoint can run on a pool
    private static readonly ConditionalWeakTable<Type, string> TypeAlternatives = []; // the same for a type of metadata: its name costs reflection

    /// <exception cref="InvalidOperationException">The endpoint cannot run on a pool.</exception>
    public static void ThrowIfAny(EndpointBuilder endpoint)
    {
        if (Alternative(endpoint.Metadata) is { } instead) throw Fault(endpoint.DisplayName, instead);
    }

    /// <summary>Throws in place of routing that selects such an endpoint for a request that already runs on a pool.</summary>
    /// <exception cref="InvalidOperationException">The endpoint cannot run on a pool.</exception>
    public static void ThrowIfAny(Endpoint endpoint)
    {
        if (!Is(endpoint)) return;
        throw Fault(
            endpoint.DisplayName, Alternative(endpoint.Metadata) + ", or put UseRouting before UseFixedThreadPool, where the endpoint stays off the pool");
    }

    /// <summary>Whether an endpoint cannot run on a pool.</summary>
    public static bool Is(Endpoint endpoint) => Alternatives.GetValue(endpoint, static endpoint => Alternative(endpoint.Metadata) ?? "").Length > 0;

    private static InvalidOperationException Fault(string? name, string instead) => new($"The endpoint '{name}' cannot run on a pool. {instead}.");

    /// <returns>What to do instead; <see langword="null"/>: the endpoint can run on a pool.</returns>
    private static string? Alternative(IEnumerable<object> all)
    {
        foreach (object metadata in all)
        {
            string instead = TypeAlternatives.GetValue(metadata.GetType(), static type => Alternative(type));
            if (instead.Length > 0) return instead;
        }
        return null;
    }

    // By name: the types are internal, or of a package that this library does not reference.
    private static string Alternative(Type metadata) => metadata.FullName switch
    {
        "Microsoft.AspNetCore.SignalR.HubMetadata" => "A hub's methods run while its connection stays open; call pool.RunAsync(…) in the method",
        "Grpc.AspNetCore.Server.GrpcMethodMetadata" => "A gRPC call writes its response itself; call pool.RunAsync(…) in the method",
        "Microsoft.AspNetCore.Http.Connections.NegotiateMetadata" => "It negotiates a connection, whose work runs while it stays open; call pool.RunAsync(…) in the hub's method",
        _ => "",
    };
}
