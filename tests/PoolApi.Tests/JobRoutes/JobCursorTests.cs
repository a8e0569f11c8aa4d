
namespace PoolApi.Tests.JobRoutes;

/// <summary>A cursor yields the job id that it was made from, and any other text is rejected.</summary>
public class JobCursorTests
{
    [Fact]
    public void A_cursor_yields_its_job_id_and_needs_no_escaping_in_a_URL()
    {
        var id = Guid.CreateVersion7();
        string cursor = JobCursor.After(id);
        Assert.Equal(id, JobCursor.Parse(cursor));
        Assert.Equal(cursor, Uri.EscapeDataString(cursor));
        Assert.DoesNotContain(id.ToString("N"), cursor, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public void A_cursor_with_one_character_changed_removed_or_added_is_rejected()
    {
        string cursor = JobCursor.After(Guid.CreateVersion7());
        for (int i = 0; i < cursor.Length; i++)
        {
            char other = cursor[i] == 'A' ? 'B' : 'A';
            Assert.Null(JobCursor.Parse(cursor[..i] + other + cursor[(i + 1)..]));
            Assert.Null(JobCursor.Parse(cursor.Remove(i, 1)));
            Assert.Null(JobCursor.Parse(cursor.Insert(i, "A")));
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("0198f3a2-7c1e-7b7e-9a41-3d0f5c2b8e11")]
    [InlineData("AAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
    [InlineData("****************************")]
    [InlineData("                            ")]
    public void An_invented_cursor_is_rejected(string text) => Assert.Null(JobCursor.Parse(text));
}
