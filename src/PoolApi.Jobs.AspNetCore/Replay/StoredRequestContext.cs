using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.Features.Authentication;
using Microsoft.AspNetCore.Localization;
using PoolApi.AspNetCore.Endpoints;
using PoolApi.Jobs.AspNetCore.Intake;
using PoolApi.Jobs.Running;
using PoolApi.Threading;

namespace PoolApi.Jobs.AspNetCore.Replay;

/// <summary>
/// The <see cref="HttpContext"/> of one attempt: a request made of a stored one, and a response that is kept in memory. It has no connection:
/// features of a connection are absent (upgrades, trailers, resets) or empty (addresses, certificates).
/// </summary>
/// <remarks>
/// Create it in the attempt's own execution context: it sets the culture there, and the app's <see cref="IHttpContextAccessor"/> reads it
/// from there. At the end the callbacks of the response run, the last of which disposes of the request's services. Then the context
/// returns to its factory.
/// </remarks>
internal sealed class StoredRequestContext
    : IAcceptedWorkFeature, IBufferedBodyFeature, IHttpRequestBodyDetectionFeature, IHttpRequestLifetimeFeature, IAsyncDisposable
{
    private readonly JobAttempt _attempt;
    private readonly Guid _job;
    private readonly StoredResponse _response;
    private readonly IHttpContextFactory? _contexts;
    private readonly ILogger _log;

    public StoredRequestContext(
        JobAttempt attempt, StoredRequest request, StoredMetadata metadata, Endpoint endpoint, IServiceScopeFactory scopes, IHttpContextFactory? contexts, int maxResultBytes,
        ILogger log, CancellationToken cancellation)
    {
        (_attempt, _job, _contexts, _log) = (attempt, attempt.Claim.Job.Id, contexts, log);
        _response = new StoredResponse(maxResultBytes);
        RequestAborted = cancellation;

        var features = new FeatureCollection();
        features.Set<IHttpRequestFeature>(ToRequest(request, metadata));
        features.Set<IHttpRequestBodyDetectionFeature>(this);
        features.Set<IHttpRequestLifetimeFeature>(this);
        features.Set<IHttpRequestIdentifierFeature>(new HttpRequestIdentifierFeature { TraceIdentifier = _job.ToString() });
        features.Set<IHttpConnectionFeature>(new HttpConnectionFeature { ConnectionId = _job.ToString() });
        features.Set<IHttpResponseFeature>(_response);
        features.Set(_response.Body);
        features.Set<IHttpBodyControlFeature>(_response);
        features.Set<IRouteValuesFeature>(new RouteValuesFeature { RouteValues = new RouteValueDictionary(metadata.Route) });
        if (metadata.User is { } user) features.Set<IHttpAuthenticationFeature>(new HttpAuthenticationFeature { User = StoredIdentity.ToUser(user) });
        features.Set<IAcceptedWorkFeature>(this);
        if (CanHaveBody) features.Set<IBufferedBodyFeature>(this);
        features.Set(attempt);
        SetCultures(metadata, features);
        Http = contexts?.Create(features) ?? new DefaultHttpContext(features) { ServiceScopeFactory = scopes };
        Http.SetEndpoint(endpoint);
    }

    public HttpContext Http { get; }

    /// <summary>How the work ended; <see langword="null"/> if the pool did not take it, or was not asked.</summary>
    public WorkOutcome? Outcome { get; private set; }

    /// <summary>The pool has refused the work, and nothing of it has run.</summary>
    public bool IsRefused { get; private set; }

    /// <summary>The endpoint has aborted the request: its response is incomplete.</summary>
    public bool IsAborted { get; private set; }

    public WorkPriority Priority => _attempt.Priority;

    public ReadOnlyMemory<byte> Body => _attempt.Claim.Payload.Body;

    public bool CanHaveBody => _attempt.Claim.Payload.Body.Length > 0;

    public CancellationToken RequestAborted { get; set; }

    /// <summary>The response that was written.</summary>
    public JobResult Result => new(_response.StatusCode, _response.Headers.ContentType, _response.Written);

    /// <summary>Whether the response is larger than a result may be.</summary>
    public bool IsTooLarge => _response.IsTooLarge;

    /// <summary>Whether a worker has begun the work.</summary>
    public bool HasStarted => PoolWork.HasStarted(Http);

    /// <summary>Completes the response, after the endpoint has returned without an exception.</summary>
    /// <exception cref="ResultTooLargeException">The response is too large.</exception>
    public Task EndAsync() => _response.EndAsync();

    /// <summary>The attempt's end releases it.</summary>
    public void Release()
    {
        // Nothing to do: the work may still run, and has its own reference.
    }

    public void Started() => _attempt.Started();

    // An endpoint filter may call the handler again. The last report of the pool counts.
    public void Refused() => (Outcome, IsRefused) = (null, true);

    public void Ended(WorkOutcome outcome) => (Outcome, IsRefused) = (outcome, false);

    /// <summary>Completes when no code of the work runs any more: later than the attempt, if that ran for longer than it may.</summary>
    public Task CodeEnds { get; private set; } = Task.CompletedTask;

    public void StillRuns(Task code) => CodeEnds = code;

    public void CheckLength(long bytes) => _response.CheckLength(bytes);

    public void Abort() => IsAborted = true;

    /// <summary>Code that still runs keeps its context and its services. They are disposed of when it has returned.</summary>
    public ValueTask DisposeAsync()
    {
        if (CodeEnds.IsCompleted) return new ValueTask(DisposeNowAsync());
        _ = DisposeLaterAsync(); // not awaited: the attempt has ended, and its job continues
        return default;
    }

    private async Task DisposeLaterAsync()
    {
        await CodeEnds;
        await DisposeNowAsync();
    }

    private async Task DisposeNowAsync()
    {
        await _response.CompleteAsync(_job, _log);
        _contexts?.Dispose(Http);
        _response.Dispose();
    }

    private static HttpRequestFeature ToRequest(StoredRequest stored, StoredMetadata metadata)
    {
        var request = new HttpRequestFeature
        {
            Method = stored.Method,
            Scheme = metadata.Scheme ?? "http",
            Protocol = "HTTP/1.1",
            PathBase = metadata.PathBase ?? "",
            Path = stored.Path,
            QueryString = stored.Query,
            RawTarget = new PathString(metadata.PathBase).Add(stored.Path).ToUriComponent() + stored.Query,
            Body = Readable(stored.Body),
        };
        foreach (var (name, values) in metadata.Headers ?? new Dictionary<string, string?[]>()) request.Headers[name] = values;
        request.Headers.ContentType = stored.ContentType;
        request.Headers.ContentLength = stored.Body.Length;
        request.Headers.Host = metadata.Host;
        return request;
    }

    private static void SetCultures(StoredMetadata metadata, FeatureCollection features)
    {
        if (metadata.Cultures is not { } cultures) return;
        (CultureInfo.CurrentCulture, CultureInfo.CurrentUICulture) = cultures;
        features.Set<IRequestCultureFeature>(new RequestCultureFeature(new RequestCulture(cultures.Culture, cultures.UICulture), provider: null));
    }

    /// <summary>The body as a stream, without a copy of its bytes.</summary>
    private static MemoryStream Readable(ReadOnlyMemory<byte> body) => MemoryMarshal.TryGetArray(body, out ArraySegment<byte> bytes)
        ? new MemoryStream(bytes.Array!, bytes.Offset, bytes.Count, writable: false)
        : new MemoryStream(body.ToArray(), writable: false);
}
