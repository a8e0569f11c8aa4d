using Microsoft.AspNetCore.Mvc;
using PoolApi.Jobs;
using PoolApi.Tests.Service;

namespace PoolApi.Tests.JobRequests;

/// <summary>A job from code has its payload as its body. A handler that would read the payload from elsewhere is refused.</summary>
public sealed class EnqueuedPayloadTests
{
    private static readonly Dictionary<string, Action<JobsBuilder>> Refused = new()
    {
        ["Guid"] = static jobs => jobs.AddJob<Guid>("id", static (Guid id) => $"{id}"),
        ["String"] = static jobs => jobs.AddJob<string>("id", static (string id) => id),
        ["Uri"] = static jobs => jobs.AddJob<Uri>("id", static (Uri id) => $"{id}"),
        ["DayOfWeek"] = static jobs => jobs.AddJob<DayOfWeek>("id", static (DayOfWeek id) => $"{id}"),
        ["OrderId"] = static jobs => jobs.AddJob<OrderId>("id", static (OrderId id) => $"{id}"),
    };

    public static TheoryData<string> OfQuery => [.. Refused.Keys];

    [Theory]
    [MemberData(nameof(OfQuery))]
    public void A_payload_that_the_framework_reads_from_a_query_is_refused(string type)
    {
        ArgumentException fault = Assert.Throws<ArgumentException>(() => Refused[type](new JobsBuilder(new ServiceCollection())));

        Assert.Contains($"a {type} from a query", fault.Message, StringComparison.Ordinal);
        Assert.Contains("[FromBody]", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_payload_with_FromBody_or_in_a_list_reaches_its_handler()
    {
        await using StorableApp app = await StorableApp.StartAsync(
            static _ => { },
            services: static services => new JobsBuilder(services)
                .AddJob<Guid>("id", static ([FromBody] Guid id) => $"{id}")
                .AddJob<string>("text", static ([FromBody] string text) => text)
                .AddJob<List<Guid>>("ids", static (List<Guid> ids) => string.Join(' ', ids)));
        IJobs jobs = app.App.Services.GetRequiredService<IJobs>();
        var id = Guid.NewGuid();

        Assert.Equal($"{id}", await ResultAsync(await jobs.EnqueueAsync(id, cancellationToken: ServiceApp.Token)));
        Assert.Equal("a \"text\"", await ResultAsync(await jobs.EnqueueAsync("a \"text\"", cancellationToken: ServiceApp.Token)));
        Assert.Equal($"{id} {id}", await ResultAsync(await jobs.EnqueueAsync<List<Guid>>([id, id], cancellationToken: ServiceApp.Token)));

        async Task<string> ResultAsync(Job job)
        {
            Assert.Equal(JobState.Succeeded, (await jobs.WaitAsync(job.Id, ServiceApp.Token))!.State);
            return await app.Client.GetStringAsync(new Uri($"/v1/jobs/{job.Id}/result", UriKind.Relative), ServiceApp.Token);
        }
    }

    private readonly record struct OrderId(int Number) : IParsable<OrderId>
    {
        public static OrderId Parse(string s, IFormatProvider? provider) => new(int.Parse(s, provider));

        public static bool TryParse(string? s, IFormatProvider? provider, out OrderId result)
        {
            bool isNumber = int.TryParse(s, provider, out int number);
            result = new OrderId(number);
            return isNumber;
        }
    }
}
