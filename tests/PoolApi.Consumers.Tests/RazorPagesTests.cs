using System.Net;
using Microsoft.AspNetCore.Mvc;

namespace PoolApi.Consumers.Tests;

/// <summary>Razor Pages: the handler runs on the pool, and the page is written off it.</summary>
public sealed class RazorPagesTests
{
    private static Task<ConsumerApp> StartAsync(Action<PageActionEndpointConventionBuilder>? pages = null, bool kestrel = false) => ConsumerApp.StartAsync(
        static b =>
        {
            b.Services.AddFixedThreadPool("io", static o => o.Workers = 1);
            b.Services.AddRazorPages();
        },
        app =>
        {
            PageActionEndpointConventionBuilder builder = app.MapRazorPages();
            pages?.Invoke(builder);
        },
        kestrel);

    [Fact]
    public async Task The_handler_runs_on_the_pool_of_the_attribute()
    {
        await using ConsumerApp app = await StartAsync();
        Assert.Contains("<p>got</p>", (await app.GetAsync("/OnPool")).Ok(), StringComparison.Ordinal);
        Assert.Equal(["handler: io", "page: server"], app.Trail.Take());
        Assert.Contains("<p>got</p>", (await app.GetAsync("/Plain")).Ok(), StringComparison.Ordinal);
        Assert.Equal(["handler: server", "page: server"], app.Trail.Take());
    }

    [Fact]
    public async Task A_synchronous_handler_has_no_synchronization_context_where_the_page_has_no_asynchronous_handler()
    {
        await using ConsumerApp app = await StartAsync(static pages => pages.RunOnPool("cpu"));
        Assert.Contains("<p>True True</p>", (await app.GetAsync("/Plain?handler=Context")).Ok(), StringComparison.Ordinal);
        Assert.Contains("<p>False True</p>", (await app.GetAsync("/OnPool?handler=Context")).Ok(), StringComparison.Ordinal); // others of this page are asynchronous
    }

    [Fact]
    public async Task An_asynchronous_handler_resumes_on_the_pool_and_its_form_is_bound()
    {
        await using ConsumerApp app = await StartAsync();
        using var form = new FormUrlEncodedContent([new("Text", "hello")]);
        Assert.Contains("<p>hello</p>", (await app.PostAsync("/OnPool", form)).Ok(), StringComparison.Ordinal);
        Assert.Equal(["before: io", "after: io", "page: server"], app.Trail.Take());
        using var bad = new FormUrlEncodedContent([new("Text", "bad")]);
        Assert.Equal(HttpStatusCode.BadRequest, (await app.PostAsync("/OnPool", bad)).Status);
    }

    [Fact]
    public async Task A_form_is_limited_before_the_page_reads_it()
    {
        foreach (Action<PageActionEndpointConventionBuilder> limit in (Action<PageActionEndpointConventionBuilder>[])
            [
                static pages => pages.RunOnPool(configure: static o => o.MaxBodyBytes = 100),
                static pages => pages.RunOnPool().WithMetadata(new RequestSizeLimitAttribute(100)),
            ])
        {
            await using ConsumerApp app = await StartAsync(limit, kestrel: true);
            using var small = new FormUrlEncodedContent([new("Text", "hello")]);
            (await app.PostAsync("/OnPool", small)).Ok();
            Assert.Equal(["before: io", "after: io", "page: server"], app.Trail.Take());
            using var large = new FormUrlEncodedContent([new("Text", new string('x', 100))]);
            Assert.Equal(HttpStatusCode.RequestEntityTooLarge, (await app.PostAsync("/OnPool", large)).Status);
            Assert.Empty(app.Trail.Take());
        }
    }

    [Fact]
    public async Task An_attribute_that_names_an_unknown_pool_fails_the_start_and_the_error_names_the_page()
    {
        InvalidOperationException fault = await Assert.ThrowsAsync<InvalidOperationException>(static () => ConsumerApp.StartAsync(
            static b => b.Services.AddRazorPages(), static app => app.MapRazorPages()));
        Assert.Contains("/OnPool", fault.Message, StringComparison.Ordinal);
        Assert.Contains("runs on the pool 'io', which does not exist", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_exception_of_a_handler_reaches_the_app_and_counts_as_failed()
    {
        await using ConsumerApp app = await StartAsync();
        using var form = new FormUrlEncodedContent([new("Text", "hello")]);
        await Assert.ThrowsAsync<InvalidOperationException>(() => app.PostAsync("/OnPool?handler=Throws", form));
        Assert.Equal(1, app.Pool("io").GetSnapshot().Counts[WorkOutcome.Failed]);
    }

    [Fact]
    public async Task Conventions_put_all_pages_on_a_pool_and_an_attribute_names_another()
    {
        await using ConsumerApp app = await StartAsync(static pages => pages.RunOnPool("cpu"));
        (await app.GetAsync("/Plain")).Ok();
        Assert.Equal(["handler: cpu", "page: server"], app.Trail.Take());
        (await app.GetAsync("/OnPool")).Ok();
        Assert.Equal(["handler: io", "page: server"], app.Trail.Take());
        Assert.Equal((1, 1), (app.Pool("io").GetSnapshot().Accepted, app.Pool().GetSnapshot().Accepted));
    }

    [Fact]
    public async Task A_page_is_executed_on_the_pool_where_the_endpoint_sets_ExecuteResult()
    {
        await using ConsumerApp app = await StartAsync(static pages => pages.RunOnPool(configure: static o => o.ExecuteResult = true));
        Reply reply = await app.GetAsync("/Plain");
        Assert.Contains("<p>got</p>", reply.Ok(), StringComparison.Ordinal);
        Assert.Equal(["handler: cpu", "page: cpu"], app.Trail.Take());
        Assert.True(reply.IsFromPool);
    }
}
