using PoolApi.Tests.JobRoutes.Support;
using PoolApi.Threading;

namespace PoolApi.Tests.JobRoutes;

/// <summary>The parameters of a job: priority, start time, timeout and tags, read from the query and the headers.</summary>
public class JobParametersTests
{
    private static readonly DateTimeOffset Now = new(2030, 6, 1, 12, 0, 0, TimeSpan.Zero);

    private static (JobParameters Parameters, HeaderCase Given) Read(string query, params ReadOnlySpan<(string Name, string[] Values)> headers)
    {
        var given = new HeaderCase(query, headers);
        given.Context.RequestServices = new ServiceCollection().AddSingleton<TimeProvider>(new Clock()).BuildServiceProvider();
        return (JobParameters.Read(given.Context, given.Faults, WorkPriority.High), given);
    }

    [Fact]
    public void Without_parameters_a_job_has_normal_priority_no_start_time_no_timeout_and_no_tags()
    {
        var (parameters, given) = Read("");
        given.AssertRight();
        Assert.Equal((WorkPriority.Normal, null, null, 0), (parameters.Priority, parameters.RunAt, parameters.Timeout, parameters.Tags.Count));
    }

    [Fact]
    public void Each_parameter_is_read_from_the_query_or_a_header_or_both_if_they_agree()
    {
        var query = "?priority=high&runAt=2030-06-02T00:00:00Z&timeout=60&tag=a&tag=b:1";
        (string, string[])[] headers =
            [("Job-Priority", ["HIGH"]), ("Job-Run-At", ["2030-06-02T02:00:00+02:00"]), ("Job-Timeout", ["60"]), ("Job-Tags", ["b:1,, a"])];
        foreach (var (parameters, given) in ((JobParameters, HeaderCase)[])[Read(query), Read("", headers), Read(query, headers)])
        {
            given.AssertRight();
            Assert.Equal(WorkPriority.High, parameters.Priority);
            Assert.Equal(Now.AddHours(12), parameters.RunAt);
            Assert.Equal(TimeSpan.FromMinutes(1), parameters.Timeout);
            Assert.Equal(["a", "b:1"], parameters.Tags.Order(StringComparer.Ordinal));
        }
    }

    [Theory]
    [InlineData("?priority=high", "Job-Priority", "low", "priority")]
    [InlineData("?runAt=2030-06-02T00:00:00Z", "Job-Run-At", "2030-06-02T00:00:01Z", "runAt")]
    [InlineData("?timeout=60", "Job-Timeout", "61", "timeout")]
    [InlineData("?tag=a&tag=b", "Job-Tags", "a", "tag")]
    public void Query_and_header_must_not_contradict_each_other(string query, string header, string value, string field)
    {
        string fault = Read(query, (header, [value])).Given.AssertFault(field);
        Assert.Contains(header, fault, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("2030-06-01T12:00:00Z")]
    [InlineData("2030-06-01T11:59:59.999Z")]
    [InlineData("1970-01-01T00:00:00Z")]
    public void A_runAt_that_has_passed_counts_as_no_start_time(string time)
    {
        var (parameters, given) = Read("?runAt=" + time);
        given.AssertRight();
        Assert.Null(parameters.RunAt);
    }

    [Theory]
    [InlineData("?priority=", "priority", "high, normal, low")]
    [InlineData("?priority=urgent", "priority", "high, normal, low")]
    [InlineData("?priority=high&priority=high", "priority", "given 2 times")]
    [InlineData("?runAt=", "runAt", "RFC 3339")]
    [InlineData("?runAt=tomorrow", "runAt", "RFC 3339")]
    [InlineData("?runAt=2030-06-02T00:00:00", "runAt", "offset")]
    [InlineData("?runAt=2031-06-01T12:00:00.001Z", "runAt", "one year")]
    [InlineData("?runAt=9999-12-31T23:59:59-14:00", "runAt", "one year")]
    [InlineData("?timeout=0", "timeout", "from 1 to 604800")]
    [InlineData("?timeout=-1", "timeout", "from 1 to 604800")]
    [InlineData("?timeout=604801", "timeout", "from 1 to 604800")]
    [InlineData("?timeout=1e3", "timeout", "from 1 to 604800")]
    [InlineData("?timeout=1.5", "timeout", "from 1 to 604800")]
    [InlineData("?timeout=99999999999", "timeout", "from 1 to 604800")]
    [InlineData("?timeout=5%00", "timeout", "from 1 to 604800")]
    [InlineData("?timeout=%D9%A3", "timeout", "from 1 to 604800")]
    [InlineData("?tag=", "tag", "1 to 64")]
    [InlineData("?tag=a%20b", "tag", "1 to 64")]
    [InlineData("?tag=a,b", "tag", "1 to 64")]
    [InlineData("?tag=%C3%A4", "tag", "1 to 64")]
    [InlineData("?tag=a&tag=a", "tag", "each tag may be given only once")]
    public void A_wrong_query_parameter_is_named_with_its_allowed_values(string query, string field, string says) =>
        Assert.Contains(says, Read(query).Given.AssertFault(field), StringComparison.Ordinal);

    [Theory]
    [InlineData("Job-Priority", "urgent")]
    [InlineData("Job-Run-At", "now")]
    [InlineData("Job-Timeout", "1h")]
    [InlineData("Job-Tags", "a b")]
    [InlineData("Job-Tags", "a, a")]
    public void The_fault_of_a_wrong_header_names_the_header(string header, string value) => Read("", (header, [value])).Given.AssertFault(header);

    [Fact]
    public void A_job_may_have_at_most_sixteen_tags_of_at_most_sixty_four_characters()
    {
        string[] tags = [.. Enumerable.Range(0, 17).Select(static i => $"{i:D2}" + new string('x', 62))];
        var (most, right) = Read("?tag=" + string.Join("&tag=", tags[..16]));
        right.AssertRight();
        Assert.Equal(tags[..16], most.Tags);
        Assert.Contains("up to 16", Read("", ("Job-Tags", tags)).Given.AssertFault("Job-Tags"), StringComparison.Ordinal);
        Read($"?tag={new string('x', 65)}").Given.AssertFault("tag");
    }

    [Fact]
    public void All_wrong_parameters_are_reported_at_once()
    {
        var given = Read("?priority=x&runAt=x&timeout=x&tag=").Given;
        Assert.Equal(["priority", "runAt", "tag", "timeout"], given.ByField.Keys.Order(StringComparer.Ordinal));
    }

    private sealed class Clock : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => Now;
    }
}
