using System.Buffers;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Primitives;

namespace PoolApi.AspNetCore.Endpoints;

/// <summary>
/// The response of a handler whose run time is limited. It is separate from the server's until its first byte, so the request can be answered while the
/// handler still runs, and later writes of the handler do not reach the client.
/// </summary>
/// <remarks>
/// <code>
///   Own ──the handler writes, or ends──► Passed: the server's response, with what the handler has set
///    └──────── the limit is over ──────► Detached ──the problem is sent──► Answered
/// </code>
/// <para>A status or a header that a detached handler sets is discarded, and a body that it writes is refused with an
/// <see cref="OperationCanceledException"/>. The flow that writes the problem sees the server's response (<see cref="IsAnswering"/>), and so do
/// the callbacks that run as the response starts.</para>
/// <para>The server uses a connection's context again for its next request. So the request stays open until the handler has returned,
/// although its response is complete: see <see cref="PoolRequest"/>.</para>
/// </remarks>
#pragma warning disable CA1001 // its stream has nothing to dispose of
internal sealed class HandlerResponse : IHttpResponseFeature, IHttpResponseBodyFeature
#pragma warning restore CA1001
{
    private static readonly AsyncLocal<HandlerResponse?> Answering = new();

    private readonly IHttpResponseFeature _server;
    private readonly IHttpResponseBodyFeature _serverBody;
    private readonly Lock _lock = new(); // guards the transition from Own
    private readonly GuardedStream _stream; // the handler's
    private readonly HandlerHeaders _shownHeaders;
    private readonly StringValues _cookiesBefore; // the server's, before the handler ran
    private volatile State _state;
    private PipeWriter? _writer;
    private int _statusCode;
    private string? _reasonPhrase;
    private IHeaderDictionary _headers;

    private HandlerResponse(IHttpResponseFeature server, IHttpResponseBodyFeature serverBody)
    {
        (_server, _serverBody) = (server, serverBody);
        (_statusCode, _reasonPhrase, _headers) = (server.StatusCode, server.ReasonPhrase, Copy(server.Headers));
        _stream = new GuardedStream(this, isWriters: false);
        _shownHeaders = new HandlerHeaders(this);
        _cookiesBefore = server.Headers.SetCookie;
    }

    private enum State
    {
        Own,
        Passed,
        Detached,
        Answered,
    }

    /// <summary>Whether the request was answered, or is being answered, in the handler's place.</summary>
    public bool IsDetached => _state >= State.Detached;

    /// <summary>Whether the calling flow is the one that answers in the handler's place.</summary>
    public bool IsAnswering => ReferenceEquals(Answering.Value, this);

    /// <summary>The headers that the calling flow reads and sets.</summary>
    public IHeaderDictionary Headers => _state != State.Own && IsServers ? _server.Headers : _headers;

    /// <summary>The server's body; <see langword="null"/>: another flow answers in the handler's place.</summary>
    public IHttpResponseBodyFeature? ServerBody => IsDetached ? null : _serverBody;

    private bool IsServers => _state == State.Passed || IsAnswering;

    /// <summary>Replaces the context's response with this one, before the handler runs.</summary>
    public static HandlerResponse Attach(HttpContext context)
    {
        IFeatureCollection features = context.Features;
        var response = new HandlerResponse(features.GetRequiredFeature<IHttpResponseFeature>(), features.GetRequiredFeature<IHttpResponseBodyFeature>());
        _ = context.RequestServices; // the first read creates them, which two flows must not do at once
        features.Set<IHttpResponseFeature>(response);
        features.Set<IHttpResponseBodyFeature>(response);
        // The framework's cookies keep the headers of their first use, so they are replaced. Others, such as a cookie policy's, stay: their rules must hold.
        if (features.Get<IResponseCookiesFeature>() is ResponseCookiesFeature) features.Set<IResponseCookiesFeature>(new ResponseCookiesFeature(features));
        HandlerUpgrades.Attach(features, response.Pass);
        return response;
    }

    /// <summary>
    /// If the response that starts is the one in the handler's place, its headers are shown from now on, in place of the handler's. A test server reads them from
    /// the context as soon as the response has started, and before <see cref="AnswerAsync"/> ends. Called as the response starts, after all other callbacks.
    /// </summary>
    public static void ShowAnswer(HttpContext context)
    {
        if (context.Features.Get<IHttpResponseFeature>() is HandlerResponse { IsAnswering: true } response) response._headers = Copy(response._server.Headers);
    }

    /// <summary>Restores the server's response, with what the handler has set, when the handler has ended or did not run.</summary>
    /// <param name="context">The request.</param>
    /// <param name="isWhole">Whether bytes that the handler has written and not flushed belong to its response.</param>
    public async ValueTask RestoreAsync(HttpContext context, bool isWhole)
    {
        if (isWhole && _writer is { UnflushedBytes: > 0 }) await _writer.FlushAsync();
        Pass();
        // Features that the handler has replaced stay, and write through this object.
        if (ReferenceEquals(context.Features.Get<IHttpResponseFeature>(), this)) context.Features.Set(_server);
        if (ReferenceEquals(context.Features.Get<IHttpResponseBodyFeature>(), this)) context.Features.Set(_serverBody);
    }

    /// <summary>Detaches the handler, so that its later writes do not reach the client.</summary>
    /// <returns><see langword="false"/> if the handler has begun its response.</returns>
    public bool TryDetach()
    {
        lock (_lock)
        {
            // A response may also begin outside this object: an endpoint filter before the handler's may have begun it.
            if (_state != State.Own || _server.HasStarted) return false;
            if (_server.Headers.SetCookie != _cookiesBefore) _server.Headers.SetCookie = _cookiesBefore; // without the handler's: see Pass
            _state = State.Detached;
            return true;
        }
    }

    /// <summary>Sends a complete response in place of the handler's.</summary>
    /// <param name="context">The request, which the handler still uses.</param>
    /// <param name="write">Writes the response to a context with the server's response, also if the handler has replaced it.</param>
    public async Task AnswerAsync(HttpContext context, Func<HttpContext, Task> write)
    {
        var features = new FeatureCollection(context.Features);
        features.Set(_server);
        features.Set(_serverBody);
        // The services and items are new, because the handler still uses those of its context.
        await using AsyncServiceScope scope = context.RequestServices.GetRequiredService<IServiceScopeFactory>().CreateAsyncScope();
        features.Set<IServiceProvidersFeature>(new ServiceProvidersFeature { RequestServices = scope.ServiceProvider });
        features.Set<IItemsFeature>(new ItemsFeature());
        Answering.Value = this; // until this method's end
        try
        {
            await write(new DefaultHttpContext(features));
            await EarlyEnd.CompleteAsync(_serverBody);
        }
        finally
        {
            _headers = Copy(_server.Headers);
            _state = State.Answered;
        }
    }

    int IHttpResponseFeature.StatusCode
    {
        get => IsServers || _state == State.Answered ? _server.StatusCode : _statusCode;
        set
        {
            if (IsServers) _server.StatusCode = value;
            else _statusCode = value;
        }
    }

    string? IHttpResponseFeature.ReasonPhrase
    {
        get => IsServers ? _server.ReasonPhrase : _reasonPhrase;
        set
        {
            if (IsServers) _server.ReasonPhrase = value;
            else _reasonPhrase = value;
        }
    }

    IHeaderDictionary IHttpResponseFeature.Headers
    {
        get => _shownHeaders;
        set
        {
            if (ReferenceEquals(value, _shownHeaders)) return;
            if (IsServers) _server.Headers = value;
            else _headers = value;
        }
    }

    bool IHttpResponseFeature.HasStarted => (IsDetached && !IsAnswering) || _server.HasStarted;

    [Obsolete("As the interface has it.")]
    Stream IHttpResponseFeature.Body
    {
        get => _stream;
        set => throw new NotSupportedException("Set the feature IHttpResponseBodyFeature instead.");
    }

    void IHttpResponseFeature.OnStarting(Func<object, Task> callback, object state)
    {
        ThrowIfDetached();
        _server.OnStarting(callback, state);
    }

    void IHttpResponseFeature.OnCompleted(Func<object, Task> callback, object state) => _server.OnCompleted(callback, state);

    Stream IHttpResponseBodyFeature.Stream => IsAnswering ? _serverBody.Stream : _stream;

    PipeWriter IHttpResponseBodyFeature.Writer =>
        IsAnswering ? _serverBody.Writer : _writer ??= PipeWriter.Create(new GuardedStream(this, isWriters: true), new StreamPipeWriterOptions(leaveOpen: true));

    /// <summary>Whether the handler's writer has unsent bytes. They come before bytes that the handler sends in another way.</summary>
    private bool HasUnflushed => _writer is { UnflushedBytes: > 0 } && !IsAnswering;

    void IHttpResponseBodyFeature.DisableBuffering()
    {
        if (!IsDetached || IsAnswering) _serverBody.DisableBuffering();
    }

    async Task IHttpResponseBodyFeature.StartAsync(CancellationToken cancellationToken)
    {
        await FlushWriterAsync(cancellationToken);
        Pass();
        await _serverBody.StartAsync(cancellationToken);
    }

    async Task IHttpResponseBodyFeature.SendFileAsync(string path, long offset, long? count, CancellationToken cancellationToken)
    {
        await FlushWriterAsync(cancellationToken);
        Pass();
        await _serverBody.SendFileAsync(path, offset, count, cancellationToken);
    }

    async Task IHttpResponseBodyFeature.CompleteAsync()
    {
        if (IsDetached && !IsAnswering) return; // the response in the handler's place is complete, or about to be
        await FlushWriterAsync(CancellationToken.None);
        Pass();
        await _serverBody.CompleteAsync();
    }

    private async ValueTask FlushWriterAsync(CancellationToken cancellationToken)
    {
        if (HasUnflushed) await _writer!.FlushAsync(cancellationToken);
    }

    private static HeaderDictionary Copy(IHeaderDictionary headers)
    {
        var copy = new HeaderDictionary(headers.Count);
        foreach (var (name, value) in headers) copy[name] = value;
        return copy;
    }

    /// <summary>Copies what the handler has set to the server's response.</summary>
    /// <exception cref="OperationCanceledException">The request was already answered in place of the handler.</exception>
    private void Pass()
    {
        if (IsServers) return;
        lock (_lock)
        {
            ThrowIfDetached();
            if (_state == State.Passed) return;
            if (!_server.HasStarted)
            {
                (_server.StatusCode, _server.ReasonPhrase) = (_statusCode, _reasonPhrase);
                IHeaderDictionary headers = _server.Headers;
                // A cookie policy that was used before writes the handler's cookies to these headers.
                StringValues cookies = headers.SetCookie;
                headers.Clear();
                foreach (var (name, value) in _headers) headers[name] = value;
                if (cookies != _cookiesBefore) headers.SetCookie = StringValues.Concat(_headers.SetCookie, (string?[])[.. cookies.Except(_cookiesBefore)]);
            }
            _state = State.Passed;
        }
    }

    private void ThrowIfDetached()
    {
        if (IsDetached && !IsAnswering) throw new OperationCanceledException("The handler ran for longer than it may: the request has been answered.");
    }

    /// <summary>The handler's stream to the server's body: the stream that it sees, or the one that its writer uses.</summary>
    private sealed class GuardedStream(HandlerResponse response, bool isWriters) : WriteOnlyStream
    {
        private bool WaitsForWriter => !isWriters && response.HasUnflushed;

        public override void Flush()
        {
            // A writer cannot be flushed synchronously. The next asynchronous step sends its bytes, at the latest at the end.
            if (!WaitsForWriter) Servers().Flush();
        }

        public override async Task FlushAsync(CancellationToken cancellationToken)
        {
            if (WaitsForWriter) await response.FlushWriterAsync(cancellationToken);
            await Servers().FlushAsync(cancellationToken);
        }

        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            if (WaitsForWriter) response._writer!.Write(buffer);
            else Servers().Write(buffer);
        }

        public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
            WaitsForWriter ? WriteAfterWriterAsync(buffer, cancellationToken) : Servers().WriteAsync(buffer, cancellationToken);

        private async ValueTask WriteAfterWriterAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken)
        {
            await response.FlushWriterAsync(cancellationToken);
            await Servers().WriteAsync(buffer, cancellationToken);
        }

        private Stream Servers()
        {
            response.Pass();
            return response._serverBody.Stream;
        }
    }
}
