using System.Net;
using System.Net.Sockets;

namespace PoolApi.Management;

/// <summary>Resolves the host of a listen address to the hosts that the server binds.</summary>
/// <remarks>
/// The server treats a host that it cannot parse as a wildcard, and would listen on every interface. So a name is
/// resolved here, and what is bound is an IP address, the two loopbacks, or one of the four wildcards.
/// </remarks>
internal static class ListenHost
{
    /// <summary>Stands for both loopback addresses, IPv4 and IPv6, independent of what the resolver returns for the name.</summary>
    public const string Localhost = HostForm.Localhost;

    private const string OtherWildcard = "means every interface; write *, +, 0.0.0.0 or [::] for that";

    /// <summary>Whether a host means every interface.</summary>
    public static bool IsWildcard(string host) => host is "+" or "*" or "0.0.0.0" or "[::]";

    /// <summary>Whether a host is an IP address, in brackets if it is IPv6.</summary>
    public static bool IsAddress(string host) => HostForm.IsAddress(host);

    /// <summary>Whether only this machine reaches what is bound to a host, as <see cref="Resolve"/> gives it.</summary>
    public static bool IsLoopback(string bound) => bound == Localhost || (HostForm.AddressOf(bound) is { } address && IsLoopback(address));

    /// <summary>Whether an address is a loopback address, also if it is IPv4 mapped to IPv6.</summary>
    public static bool IsLoopback(IPAddress address) => IPAddress.IsLoopback(Unmapped(address));

    /// <summary>Finds the hosts to bind.</summary>
    /// <param name="host">The host as it was written; IPv6 in brackets.</param>
    /// <param name="lookUp">Resolves a name; throws <see cref="SocketException"/> if it has no address.</param>
    /// <param name="fault">What is wrong with the host, to follow it in a sentence.</param>
    /// <returns>The hosts; none if there is a fault.</returns>
    public static IReadOnlyList<string> Resolve(string host, Func<string, IPAddress[]> lookUp, out string? fault)
    {
        fault = null;
        if (IsWildcard(host)) return [host];
        if (HostForm.IsLocalhost(host)) return [Localhost];
        if (HostForm.AddressOf(host) is { } literal)
        {
            if (!IsAny(literal)) return [ToHost(literal)];
            fault = OtherWildcard;
            return [];
        }
        if (!HostForm.IsName(host))
        {
            fault = "is neither a host name nor an IP address, which is written as 127.0.0.1 or [::1]";
            return [];
        }
        try
        {
            IPAddress[] found = [.. lookUp(host).Where(static a => a.AddressFamily != AddressFamily.InterNetworkV6 || Socket.OSSupportsIPv6)];
            if (found.Length == 0) fault = "is a name without an address";
            else if (Array.Find(found, IsAny) is { } any) fault = $"is a name for {any}, which {OtherWildcard}";
            return fault is null ? [.. found.Select(ToHost).Distinct(StringComparer.Ordinal)] : [];
        }
        catch (SocketException e)
        {
            fault = $"is a name that cannot be resolved ({e.Message})";
            return [];
        }
    }

    /// <summary>The hosts at which this machine reaches what is bound to a host, the likeliest first.</summary>
    public static IReadOnlyList<string> Probes(string bound) => IsWildcard(bound) || bound == Localhost ? ["127.0.0.1", "[::1]"] : [bound];

    private static bool IsAny(IPAddress address) => Unmapped(address) is var plain && (plain.Equals(IPAddress.Any) || plain.Equals(IPAddress.IPv6Any));

    private static IPAddress Unmapped(IPAddress address) => address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address;

    private static string ToHost(IPAddress address) =>
        Unmapped(address) is { AddressFamily: AddressFamily.InterNetwork } plain ? plain.ToString() : $"[{address}]";
}
