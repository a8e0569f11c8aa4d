using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Security.Claims;
using System.Text;
using Microsoft.AspNetCore.Http.Extensions;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Localization;
using Microsoft.AspNetCore.Mvc;
using PoolApi.Jobs.Running;
using PoolApi.Tests.Service;

namespace PoolApi.Tests.JobRequests;

/// <summary>A job replays its stored request. The endpoint sees the original request, except for its connection.</summary>
public sealed class StoredRequestTests
{
    public static TheoryData<string, string, string, bool> Requests => new()
    {
        { "POST", "https://shop.example:8443/shop/items/7/a%20b?x=1&x=2&name=%C3%A4", "json", true },
        { "PUT", "http://other.example/items/8/c%2Fd", "json", false },
        { "POST", "http://localhost/forms/9?x=3", "form", true },
        { "POST", "http://localhost/forms/9", "multipart", false },
        { "GET", "http://localhost/items/10/plain", "", true },
    };

    [Theory]
    [MemberData(nameof(Requests))]
    public async Task A_request_is_answered_the_same_directly_and_as_a_job(string method, string url, string body, bool user)
    {
        await using StorableApp app = await StorableApp.StartAsync(
            static app =>
            {
                UseEverything(app);
                app.MapPost("/items/{id:int}/{name}", EchoWithBody).WithName("item").AddEndpointFilter(new Stamp()).AllowJobs().RunOnPool()
                    .WithMetadata("the endpoint's own").AddEndpointFilter(new Stamp());
                // The same kind of work by another method: its job must not run the first endpoint.
                app.MapPut("/items/{id:int}/{name}", EchoAsync).AllowJobs(configure: static o => o.Capture.Headers("X-Unused")).RunOnPool();
                app.MapGet("/items/{id:int}/{name}", Echo).AllowJobs().RunOnPool();
                app.MapPost("/forms/{id:int}", EchoForm).DisableAntiforgery().AllowJobs().RunOnPool();
            },
            static o => o.Capture.User().Headers("X-Tenant", "x-trace"),
            AddEverything);

        string[] answers = new string[2];
        foreach (bool asJob in (bool[])[false, true])
        {
            using HttpRequestMessage request = Make(method, url, body, user);
            using HttpResponseMessage answer = await app.SendAsync(request, asJob);
            answers[asJob ? 1 : 0] = await answer.Content.ReadAsStringAsync(ServiceApp.Token);
            Assert.True(answer.IsSuccessStatusCode, answers[asJob ? 1 : 0]);
        }

        Assert.Equal(answers[0], answers[1]);
        // The response contains what the client sent.
        Assert.Contains($"method {method}", answers[1], StringComparison.Ordinal);
        Assert.Contains("tenant a|b, c", answers[1], StringComparison.Ordinal);
        Assert.Contains($"culture de-AT fr", answers[1], StringComparison.Ordinal);
        Assert.Contains(user ? "user ann True True" : "user  False False", answers[1], StringComparison.Ordinal);
        if (method == "PUT") Assert.StartsWith("async", answers[1], StringComparison.Ordinal);
    }

    [Fact]
    public async Task Secrets_and_headers_that_the_endpoint_does_not_capture_are_not_stored()
    {
        await using StorableApp app = await StorableApp.StartAsync(
            static app =>
            {
                UseEverything(app);
                app.MapPost("/seen", static (HttpContext context) => string.Join('\n', context.Request.Headers.Keys.Order(StringComparer.Ordinal))
                    + $"\nuser {context.User.Identity?.IsAuthenticated} from {context.Connection.RemoteIpAddress}").AllowJobs().RunOnPool();
            },
            services: AddEverything);
        using HttpRequestMessage request = Make("POST", "http://localhost/seen", "json", user: true);
        request.Headers.Add("Authorization", "Bearer the-secret");
        request.Headers.Add("Cookie", "session=the-secret");

        using HttpResponseMessage answer = await app.SendAsync(request, asJob: true);

        Assert.Equal("Content-Encoding\nContent-Length\nContent-Type\nHost\nuser False from ", await answer.Content.ReadAsStringAsync(ServiceApp.Token));
        var stored = new List<string>();
        foreach (string file in app.Files)
        {
            await using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
            using var reader = new StreamReader(stream, Encoding.Latin1);
            stored.Add(await reader.ReadToEndAsync(ServiceApp.Token));
        }
        Assert.Contains(stored, static text => text.Contains("{\"title\":\"a title\"", StringComparison.Ordinal)); // the body, which is stored as it is
        Assert.All(stored, static text => Assert.DoesNotContain("the-secret", text, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Response_callbacks_and_disposals_run_in_the_same_order_directly_and_as_a_job()
    {
        var events = new ConcurrentQueue<string>();
        using var leaked = new SemaphoreSlim(0);
        using var ended = new SemaphoreSlim(0);
        Task<bool>? late = null;
        await using StorableApp app = await StorableApp.StartAsync(
            app =>
            {
                app.MapPost("/events", (HttpContext context, IHttpContextAccessor accessor, OfRequest service) =>
                {
                    service.Disposed = () =>
                    {
                        events.Enqueue("services disposed");
                        ended.Release();
                    };
                    HttpResponse response = context.Response;
                    late = Late(accessor);
                    foreach (int i in (int[])[1, 2])
                    {
                        response.OnStarting(async () =>
                        {
                            await Task.Yield();
                            events.Enqueue($"starting {i} {response.HasStarted}");
                            response.ContentType = $"text/started-{i}";
                        });
                        response.OnCompleted(() => Event($"completed {i} {response.HasStarted} {ReferenceEquals(accessor.HttpContext, context)}"));
                        response.RegisterForDispose(new Disposable(() => events.Enqueue($"disposed {i}")));
                        response.RegisterForDisposeAsync(new Disposable(() => events.Enqueue($"disposed async {i}")));
                    }
                    return Results.Stream(async body =>
                    {
                        await body.WriteAsync("answer"u8.ToArray());
                        events.Enqueue($"written {response.HasStarted} {Fails(() => response.StatusCode = 500)} {Fails(() => response.Headers.ETag = "x")} {Fails(() => response.OnStarting(static () => Task.CompletedTask))}");
                    });

                    Task Event(string what)
                    {
                        events.Enqueue(what);
                        return Task.CompletedTask;
                    }
                }).AllowJobs().RunOnPool();
            },
            services: static services => services.AddHttpContextAccessor().AddScoped<OfRequest>());

        var seen = new List<string[]>();
        foreach (bool asJob in (bool[])[false, true])
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, "/events");
            using HttpResponseMessage answer = await app.SendAsync(request, asJob);
            Assert.Equal(("answer", "text/started-1"), (await answer.Content.ReadAsStringAsync(ServiceApp.Token), answer.Content.Headers.ContentType?.MediaType));
            await ended.WaitAsync(ServiceApp.Token);
            seen.Add([.. events]);
            events.Clear();
            leaked.Release();
            Assert.True(await late!); // the accessor does not return the context after the request
        }

        Assert.Equal(seen[0], seen[1]);
        Assert.Equal(
            ["starting 2 False", "starting 1 False", "written True True True True", "disposed async 2", "disposed 2", "completed 2 True True",
                "disposed async 1", "disposed 1", "completed 1 True True", "services disposed"],
            seen[1]);

        async Task<bool> Late(IHttpContextAccessor accessor)
        {
            await leaked.WaitAsync(ServiceApp.Token).ConfigureAwait(false);
            // The server clears the accessor a moment after it disposes of the services.
            await Patience.UntilAsync(() => accessor.HttpContext is null, "the end of the context");
            return true;
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_job_takes_its_HttpContext_from_the_apps_factory_if_there_is_one_and_returns_it(bool isThere)
    {
        Factory? factory = null;
        await using (StorableApp app = await StorableApp.StartAsync(
            static app =>
            {
                app.MapPost("/", static (HttpContext context, OfRequest service) => $"{context.Items["made"]} {service.IsDisposed}").AllowJobs().RunOnPool();
            },
            services: services =>
            {
                services.AddScoped<OfRequest>();
                if (isThere) services.AddSingleton<IHttpContextFactory, Factory>();
                else services.AddSingleton<IJobExecutor>(static s => ActivatorUtilities.CreateInstance<StoredRequestRunner>(new WithoutFactory(s)));
            }))
        {
            factory = app.App.Services.GetRequiredService<IHttpContextFactory>() as Factory;
            using var request = new HttpRequestMessage(HttpMethod.Post, "/");

            using HttpResponseMessage answer = await app.SendAsync(request, asJob: true);

            Assert.Equal(isThere ? "by the factory False" : " False", await answer.Content.ReadAsStringAsync(ServiceApp.Token));
        }
        Assert.Equal(isThere, factory is not null);
        Assert.Equal(factory?.Made, factory?.Disposed);
    }

    [Fact]
    public async Task The_end_of_an_attempt_that_a_stop_abandons_names_the_code_that_still_runs()
    {
        using var gate = new Gate();
        RecordingExecutor? executor = null;
        await using StorableApp app = await StorableApp.StartAsync(
            app => app.MapPost("/", () => gate.Pass()).AllowJobs().RunOnPool(),
            services: services => services.AddSingleton<IJobExecutor>(
                s => executor = new RecordingExecutor(ActivatorUtilities.CreateInstance<StoredRequestRunner>(s))),
            settings: [("PoolShutdown:Drain", "00:00:00.050"), ("PoolShutdown:Cancel", "00:00:00.050")]);
        using var request = new HttpRequestMessage(HttpMethod.Post, "/");
        request.Headers.Add("Prefer", "respond-async");
        using HttpResponseMessage accepted = await app.Client.SendAsync(request, ServiceApp.Token);
        Assert.Equal(HttpStatusCode.Accepted, accepted.StatusCode);
        await gate.NextArrivalAsync();

        Task stop = app.App.StopAsync(ServiceApp.Token);
        AttemptEnd end = await executor!.End.Patiently();

        Assert.Equal((AttemptOutcome.Stopped, false), (end.Outcome, end.CodeEnds.IsCompleted));
        gate.Open();
        await end.CodeEnds.Patiently();
        await stop;
    }

    /// <summary>Records how the first attempt ends.</summary>
    private sealed class RecordingExecutor(IJobExecutor executor) : IJobExecutor
    {
        private readonly TaskCompletionSource<AttemptEnd> _end = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task<AttemptEnd> End => _end.Task;

        public async ValueTask<AttemptEnd> ExecuteAsync(JobAttempt attempt, CancellationToken cancellation)
        {
            AttemptEnd end = await executor.ExecuteAsync(attempt, cancellation);
            _end.TrySetResult(end);
            return end;
        }
    }

    [Fact]
    public async Task Objects_that_a_failed_handler_registered_are_disposed_and_a_failed_OnCompleted_callback_is_logged()
    {
        var events = new ConcurrentQueue<string>();
        await using StorableApp app = await StorableApp.StartAsync(app =>
        {
            app.MapPost("/{how}", (string how, HttpContext context) =>
            {
                context.Response.RegisterForDispose(new Disposable(() => events.Enqueue("disposed")));
                context.Response.OnCompleted(static () => throw new InvalidOperationException("the callback's own"));
                context.Response.OnStarting(() =>
                {
                    events.Enqueue("starting");
                    return how == "start" ? throw new InvalidOperationException("cannot start") : Task.CompletedTask;
                });
                if (how == "abort") context.Abort();
                return how == "throw" ? throw new InvalidOperationException("cannot run") : "done";
            }).AllowJobs().RunOnPool();
        });

        foreach (var (how, status, expected) in ((string, int, string[])[])[
            ("well", 200, ["starting", "disposed"]),
            ("throw", 500, ["disposed", "disposed"]),
            ("start", 500, ["starting", "disposed", "starting", "disposed"]),
            ("abort", 500, ["starting", "disposed", "starting", "disposed"])])
        {
            events.Clear();
            using var request = new HttpRequestMessage(HttpMethod.Post, "/" + how);
            using HttpResponseMessage answer = await app.SendAsync(request, asJob: true);
            Assert.Equal((HttpStatusCode)status, answer.StatusCode);
            if (status == 500) await ServiceApp.AssertProblem(answer, 500, "work-failed");
            Assert.Equal(expected, events);
        }
        Assert.Contains(app.Log.Texts, static line => line.Contains("has registered with OnCompleted", StringComparison.Ordinal) && line.Contains("the callback's own", StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_connection_features_of_a_job_are_absent_or_empty_or_throw()
    {
        await using StorableApp app = await StorableApp.StartAsync(static app =>
        {
            app.MapPost("/", static async (HttpContext context, CancellationToken cancellation) =>
            {
                ConnectionInfo connection = context.Connection;
                var facts = new List<object?>
                {
                    connection.RemoteIpAddress, connection.LocalIpAddress, connection.RemotePort, connection.ClientCertificate,
                    await connection.GetClientCertificateAsync(cancellation), connection.Id.Length, context.TraceIdentifier.Length,
                    context.WebSockets.IsWebSocketRequest, context.Response.SupportsTrailers(), context.Request.SupportsTrailers(),
                    context.Features.Get<IHttpUpgradeFeature>(), context.Features.Get<IHttpResetFeature>(), context.Features.Get<IHttpExtendedConnectFeature>(),
                    context.Features.Get<IHttpMaxRequestBodySizeFeature>(), context.Features.Get<IHttpConnectionFeature>() is not null,
                    context.Response.Body.CanSeek, context.Response.Body.CanRead, context.RequestAborted == cancellation,
                    await NameOfFault(() => context.WebSockets.AcceptWebSocketAsync()),
                    await NameOfFault(() => Task.Run(() => context.Response.AppendTrailer("x", "y"), CancellationToken.None)),
                    await NameOfFault(() => Task.Run(() => context.Request.GetTrailer("x"), CancellationToken.None)),
                    await NameOfFault(() => Task.Run(() => context.Session.Id, CancellationToken.None)),
                };
                context.Connection.RequestClose();
                return string.Join(' ', facts.Select(static f => f ?? "null"));
            }).AllowJobs().RunOnPool();
        });
        using var request = new HttpRequestMessage(HttpMethod.Post, "/");

        using HttpResponseMessage answer = await app.SendAsync(request, asJob: true);

        Assert.Equal(
            "null null 0 null null 36 36 False False False null null null null True False False True "
            + "NotSupportedException InvalidOperationException NotSupportedException InvalidOperationException",
            await answer.Content.ReadAsStringAsync(ServiceApp.Token));

        static async Task<string> NameOfFault(Func<Task> what) => (await Assert.ThrowsAnyAsync<Exception>(what)).GetType().Name;
    }

    [Fact]
    public async Task Cancelling_a_job_cancels_RequestAborted_in_its_handler()
    {
        var begun = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var aborted = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using StorableApp app = await StorableApp.StartAsync(app =>
        {
            app.MapPost("/", async (HttpContext context) =>
            {
                CancellationTokenRegistration registered = context.RequestAborted.Register(aborted.SetResult); // it lasts as long as the token
                begun.SetResult();
                await aborted.Task;
                return $"{registered.Token.IsCancellationRequested}";
            }).AllowJobs().RunOnPool();
        });
        using var request = new HttpRequestMessage(HttpMethod.Post, "/") { Headers = { { "Prefer", "respond-async" } } };
        using HttpResponseMessage accepted = await app.Client.SendAsync(request, ServiceApp.Token);
        await begun.Task.WaitAsync(ServiceApp.Token);

        using HttpResponseMessage cancelled = await app.Client.DeleteAsync(accepted.Headers.Location, ServiceApp.Token);

        Assert.Equal(HttpStatusCode.Accepted, cancelled.StatusCode);
        await aborted.Task.WaitAsync(ServiceApp.Token);
    }

    [Fact]
    public async Task Two_endpoints_with_the_same_job_kind_and_method_stop_the_start()
    {
        InvalidOperationException fault = await Assert.ThrowsAsync<InvalidOperationException>(() => StorableApp.StartAsync(static app =>
        {
            app.MapPost("/a", static () => "a").AllowJobs().RunOnPool(configure: static o => o.Kind = "same");
            app.MapMethods("/b", ["PUT", "post"], static () => "b").AllowJobs().RunOnPool(configure: static o => o.Kind = "same");
        }));

        foreach (string part in (string[])["/a", "/b", "'same'", "AllowJobs("]) Assert.Contains(part, fault.Message, StringComparison.Ordinal);
    }

    private static void AddEverything(IServiceCollection services) =>
        services.AddHttpContextAccessor().AddScoped<OfRequest>().Configure<RouteOptions>(static o => o.LowercaseUrls = true);

    /// <summary>The middleware that apps have before their endpoints.</summary>
    private static void UseEverything(WebApplication app)
    {
        app.UsePathBase("/shop");
        app.UseRouting();
        app.UseRequestLocalization(new RequestLocalizationOptions
        {
            SupportedCultures = [new CultureInfo("de-AT")],
            SupportedUICultures = [new CultureInfo("fr")],
            DefaultRequestCulture = new RequestCulture("de-AT", "fr"),
        });
        app.Use(static (context, next) =>
        {
            if (!context.Request.Headers.ContainsKey("X-User")) return next(context);
            context.User = new ClaimsPrincipal([
                new ClaimsIdentity(
                    [new("who", "ann"), new("may", "write"), new("since", "2020", ClaimValueTypes.Integer32, "the issuer", "another")], "Bearer", "who", "may"),
                new ClaimsIdentity([new(ClaimTypes.Email, "a\u0000\uD83D\uDE00@example.org")]),
            ]);
            return next(context);
        });
    }

    private static HttpRequestMessage Make(string method, string url, string body, bool user)
    {
        var request = new HttpRequestMessage(new HttpMethod(method), url)
        {
            Content = body switch
            {
                "json" => new StringContent("{\"title\":\"a title\",\"count\":3}", Encoding.UTF8, "application/json"),
                "form" => new FormUrlEncodedContent([new("title", "a title"), new("count", "3")]),
                "multipart" => new MultipartFormDataContent("limit") { { new StringContent("a title"), "title" }, { new ByteArrayContent([1, 2, 3]), "file", "f.bin" } },
                _ => null,
            },
        };
        request.Content?.Headers.ContentEncoding.Add("identity");
        request.Headers.Add("X-Tenant", ["a", "b, c"]);
        request.Headers.Add("X-Trace", "a \"<+>\"");
        request.Headers.Add("X-Other", "not asked for");
        if (user) request.Headers.Add("X-User", "yes");
        return request;
    }

    private static string EchoWithBody(
        int id, string name, [FromQuery] int[] x, [FromHeader(Name = "X-Tenant")] string tenant, Spec spec, OfRequest service, ClaimsPrincipal principal,
        LinkGenerator links, HttpContext context) =>
        $"{id} {name} {string.Join('+', x)} {tenant} {spec} {service.IsDisposed} {ReferenceEquals(principal, context.User)} "
        + $"{links.GetUriByName(context, "item", new { id = 1, name = "x y" })} {links.GetPathByName(context, "item", new { name = "ambient" })}\n{Echo(context)}";

    private static async Task<string> EchoAsync(int id, string name, Spec spec, HttpContext context)
    {
        await Task.Yield();
        return $"async {id} {name} {spec} {Echo(context)}";
    }

    private static async Task<string> EchoForm(int id, [FromForm] string title, [FromForm] int? count, HttpContext context)
    {
        IFormFile? file = context.Request.Form.Files.GetFile("file");
        using var bytes = new MemoryStream();
        if (file is not null) await file.CopyToAsync(bytes);
        return $"{id} {title} {count} {file?.FileName} {Convert.ToHexString(bytes.ToArray())} {context.Request.Form.Count}\n{Echo(context)}";
    }

    private static string Echo(HttpContext context)
    {
        HttpRequest request = context.Request;
        var accessor = context.RequestServices.GetRequiredService<IHttpContextAccessor>();
        return string.Join('\n',
            $"method {request.Method} {request.Protocol}",
            $"url {request.GetEncodedUrl()} {request.Scheme} {request.IsHttps} {request.Host} {request.PathBase} {request.Path}",
            $"route {string.Join(' ', request.RouteValues.OrderBy(static v => v.Key).Select(static v => $"{v.Key}={v.Value}({v.Value?.GetType().Name})"))} {context.GetRouteValue("ID")}",
            $"query {request.QueryString} {string.Join(',', request.Query["x"].ToArray())}",
            $"content {request.ContentType} {request.ContentLength ?? 0} {request.Headers.ContentEncoding}",
            $"tenant {string.Join('|', request.Headers["x-tenant"].ToArray())} {request.Headers["X-Trace"]}",
            $"culture {CultureInfo.CurrentCulture.Name} {CultureInfo.CurrentUICulture.Name} {context.Features.Get<IRequestCultureFeature>()?.RequestCulture.UICulture.Name}",
            $"user {context.User.Identity?.Name} {context.User.Identity?.IsAuthenticated ?? false} {context.User.IsInRole("write")} "
            + string.Join(' ', context.User.Identities.SelectMany(static i => i.Claims.Select(c => $"{i.AuthenticationType}:{c}:{c.ValueType}:{c.Issuer}:{c.OriginalIssuer}"))),
            $"endpoint {context.GetEndpoint()?.DisplayName} {context.GetEndpoint()?.Metadata.GetMetadata<string>()} {context.Items["stamp"]}",
            $"accessor {ReferenceEquals(accessor.HttpContext, context)} {ReferenceEquals(context.RequestServices.GetRequiredService<OfRequest>(), context.RequestServices.GetRequiredService<OfRequest>())}",
            $"thread {Thread.CurrentThread.IsThreadPoolThread}");
    }

    private static bool Fails(Action action)
    {
        try
        {
            action();
            return false;
        }
        catch (InvalidOperationException)
        {
            return true;
        }
    }

    internal sealed record Spec(string Title, int Count);

    /// <summary>A scoped service.</summary>
    internal sealed class OfRequest : IDisposable
    {
        public Action? Disposed { get; set; }

        public bool IsDisposed { get; private set; }

        public void Dispose()
        {
            IsDisposed = true;
            Disposed?.Invoke();
        }
    }

    private sealed class Disposable(Action disposed) : IDisposable, IAsyncDisposable
    {
        public void Dispose() => disposed();

        public ValueTask DisposeAsync()
        {
            disposed();
            return default;
        }
    }

    private sealed class Stamp : IEndpointFilter
    {
        public ValueTask<object?> InvokeAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
        {
            context.HttpContext.Items["stamp"] += $"{context.HttpContext.GetEndpoint()!.DisplayName} {context.Arguments.Count};";
            return next(context);
        }
    }

    private sealed class Factory(IServiceScopeFactory scopes) : IHttpContextFactory
    {
        private int _made;
        private int _disposed;

        public int Made => _made;

        public int Disposed => _disposed;

        public HttpContext Create(IFeatureCollection featureCollection)
        {
            Interlocked.Increment(ref _made);
            return new DefaultHttpContext(featureCollection) { ServiceScopeFactory = scopes, Items = { ["made"] = "by the factory" } };
        }

        public void Dispose(HttpContext httpContext) => Interlocked.Increment(ref _disposed);
    }

    /// <summary>The app's services without <see cref="IHttpContextFactory"/>.</summary>
    private sealed class WithoutFactory(IServiceProvider services) : IServiceProvider
    {
        public object? GetService(Type serviceType) => serviceType == typeof(IHttpContextFactory) ? null : services.GetService(serviceType);
    }
}
