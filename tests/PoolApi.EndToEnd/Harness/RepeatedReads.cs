using System.Net;

namespace PoolApi.EndToEnd.Harness;

/// <summary>Sends a GET again that is answered 503 <c>store-unavailable</c> while the machine is busy: a database that is there can take longer than the
/// service waits for it.</summary>
internal sealed class RepeatedReads(HttpMessageHandler inner) : DelegatingHandler(inner)
{
    /// <summary>Whether it does.</summary>
    public bool AreOn { get; set; } = true;

    /// <inheritdoc />
    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        while (true)
        {
            var response = await base.SendAsync(request, cancellationToken);
            if (!AreOn || request.Method != HttpMethod.Get || response.StatusCode != HttpStatusCode.ServiceUnavailable || MachineLoad.Factor <= 1)
                return response;
            // Buffered, so that who asked can read it too.
            await response.Content.LoadIntoBufferAsync(cancellationToken);
            if (!(await response.Content.ReadAsStringAsync(cancellationToken)).Contains(":store-unavailable", StringComparison.Ordinal))
                return response;
            response.Dispose();
        }
    }
}
