using System.Net;
using System.Net.Sockets;

namespace PoolApi.Listening;

/// <summary>Explains why the service cannot listen on an address: which address, from which setting, and what to do.</summary>
internal static class ListenFault
{
    /// <summary>The exception for an error of the system.</summary>
    /// <remarks>
    /// An <see cref="IOException"/> ends the server's start. After any other exception the server continues if it can bind the other
    /// loopback address, or IPv4 instead of IPv6.
    /// </remarks>
    public static Exception Of(IPEndPoint address, string key, SocketException e) => e.SocketErrorCode switch
    {
        SocketError.AddressAlreadyInUse => new IOException(
            $"{key}: {address} is already in use. Choose another port, or stop the program that has it.", e),
        SocketError.AccessDenied => new IOException(
            $"{key}: {address} is not permitted ({e.Message}). Choose a port from 1024 up, or give the program the capability NET_BIND_SERVICE.", e),
        SocketError.AddressNotAvailable => new InvalidOperationException(
            $"{key}: {address} is not an address of this machine ({e.Message}).", e),
        SocketError.AddressFamilyNotSupported => new InvalidOperationException(
            $"{key}: {address} is of a family that this machine does not have ({e.Message}).", e),
        _ => new IOException($"{key}: the program cannot listen on {address} ({e.Message}).", e),
    };
}
