using PoolApi.AspNetCore.Problems;
using PoolApi.Jobs;
using PoolApi.Jobs.Running;
using PoolApi.Problems;

namespace PoolApi.Tests.Problems;

/// <summary>The catalogues of problems: one for each room that answers with problems, and one table in the docs for all of them.</summary>
public class ProblemCatalogueTests
{
    /// <summary>In the order of the table.</summary>
    private static (string Name, int Status, string Title, string When, string Retry)[] All =>
    [
        .. PoolProblems.All.Select(static p => (p.Name, p.Status, p.Title, p.When, p.Retry.ToString())),
        .. JobProblems.All.Select(static p => (p.Name, p.Status, p.Title, p.When, p.Retry.ToString())),
        .. ServiceProblems.All.Select(static p => (p.Name, p.Status, p.Title, p.When, p.Retry.ToString())),
        .. Dashboard.Requests.Problem.All.Select(static p => (p.Name, p.Status, p.Title, p.When, p.Retry.ToString())),
    ];

    [Fact]
    public void A_problem_name_has_the_same_status_title_and_retry_in_every_room() =>
        Assert.All(All.GroupBy(static p => p.Name), static same => Assert.Single(same.Select(static p => (p.Status, p.Title, p.Retry)).Distinct()));

    /// <summary>RFC 9457, 3.1.3: the title is for people who do not know the type, so it distinguishes one type from another.</summary>
    [Fact]
    public void No_two_problem_names_share_a_title() =>
        Assert.All(All.GroupBy(static p => p.Title), static same => Assert.Single(same.Select(static p => p.Name).Distinct()));

    [Fact]
    public void A_catalogue_has_each_name_once()
    {
        Assert.Distinct(PoolProblems.All.Select(static p => p.Name));
        Assert.Distinct(JobProblems.All.Select(static p => p.Name));
        Assert.Distinct(ServiceProblems.All.Select(static p => p.Name));
        Assert.Distinct(Dashboard.Requests.Problem.All.Select(static p => p.Name));
    }

    [Fact]
    public void The_errors_that_the_dispatcher_stores_are_in_the_catalogue()
    {
        string[] stored = [JobError.Poison.Name, AttemptEnd.Failed.Error!.Name, AttemptEnd.NotBegun.Error!.Name];
        Assert.All(stored, static name => Assert.Contains(name, JobProblems.All.Select(static p => p.Name)));
    }

    [Fact]
    public void The_table_of_problems_in_the_docs_matches_the_catalogues()
    {
        string text = File.ReadAllText(Path.Combine(Repository.Root, "docs", "http-api.md"));
        int start = text.IndexOf("## Problems", StringComparison.Ordinal);
        string[] rows = [.. text[start..text.IndexOf("\n## ", start + 1, StringComparison.Ordinal)].Split('\n').Where(static line => line.StartsWith("| `", StringComparison.Ordinal))];

        Assert.Equal(All.GroupBy(static p => p.Name).Select(static same => Row(same.ToArray())), rows);
    }

    // Each room has its own copy of the shared types, so this method gets their values as text.
    private static string Row((string Name, int Status, string Title, string When, string Retry)[] same) =>
        $"| `{same[0].Name}` | {same[0].Status} | {same[0].Retry switch
        {
            "No" => "no",
            "Yes" => "yes",
            "Later" => "after `Retry-After`",
            _ => "find out first",
        }} | {string.Join("; ", same.Select(static p => p.When).Distinct())} |";
}
