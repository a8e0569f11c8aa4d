using System.Net;

namespace PoolApi.EndToEnd.Harness;

/// <summary>Sends a GET again that is answered 503 <c>store-unavailable</c> while the machine is busy: a database that is there can take longer than the
/// service waits for it. It returns the fifth answer, whatever it is.</summary>
internal sealed class RepeatedReads(HttpMessageHandler inner) : DelegatingHandler(inner)
{
    private const int Most = 5;

    /// <summary>Whether it repeats reads. Off by default: a test may take the store away, and then its first answer counts.</summary>
    public bool AreOn { get; set; }

    /// <inheritdoc />
    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        for (int attempt = 1; ; attempt++)
        {
            var response = await base.SendAsync(request, cancellationToken);
            if (!AreOn || attempt == Most || request.Method != HttpMethod.Get || response.StatusCode != HttpStatusCode.ServiceUnavailable || MachineLoad.Factor <= 1)
                return response;
            // Buffered, so that who asked can read it too.
            await response.Content.LoadIntoBufferAsync(cancellationToken);
            if (!(await response.Content.ReadAsStringAsync(cancellationToken)).Contains(":store-unavailable", StringComparison.Ordinal))
                return response;
            response.Dispose();
        }
    }
}
