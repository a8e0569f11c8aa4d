using Microsoft.AspNetCore.Http;

namespace PoolApi.AspNetCore.Endpoints;

/// <content>Stage 2, buffer: the body is read into memory, and its bytes count against the budget.</content>
internal sealed partial class PoolRequest
{
    /// <summary>Reads the body. It stops when the app closes, because the work would be refused then.</summary>
    private async ValueTask<Rejection?> BufferAsync()
    {
        _body = new BodyReservation(Pool.Bodies);
        using var reading = CancellationTokenSource.CreateLinkedTokenSource(_lifetime.Outer, _endpoint.Shutdown.Closed);
        try
        {
            Rejection? refused = await BodyBuffer.ReadAsync(Context, Pool, _endpoint.Options.MaxBodyBytes, _body, reading.Token);
            return refused is null ? null : Counted(Pool, refused);
        }
        catch (OperationCanceledException) when (_endpoint.Shutdown.IsClosed && !_lifetime.Outer.IsCancellationRequested)
        {
            return Counted(Pool, Rejection.Draining(Pool));
        }
        catch (Exception e) when (IsMalformed(e))
        {
            return Rejection.MalformedBody(Pool, Context);
        }
    }

    /// <summary>
    /// Whether the server could not parse the body, or middleware could not decompress it. For some faults the server has an exception with a
    /// status; for a chunk size that does not fit into its integer, and for a connection that breaks, it has a plain <see cref="IOException"/>.
    /// </summary>
    private static bool IsMalformed(Exception e) =>
        e is BadHttpRequestException { StatusCode: StatusCodes.Status400BadRequest } or InvalidDataException or (IOException and not BadHttpRequestException);
}
