"""What people write around a place's name: the words behind it and before it that say what the name is there.

Each list is an alternation, one alternative a word; a blank separates them. :mod:`ingest.places.cues` reads them in
bounded windows, and puts some of them together into one expression: those stand here as their text alone. A word begins with a
plain character and looks behind afterwards (``家(?<!大家)``, not ``(?<!大)家``): so the regex engine passes over all positions
where no word can begin. What stands before a name begins with a class of characters.
"""

from __future__ import annotations

import re

SURNAMES = frozenset(
    "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎余潘杜戴夏钟汪田"
    "任姜范石姚谭廖邹熊金陆郝孔崔康毛邱秦江史顾侯邵孟龙段雷钱汤尹黎易常武乔贺赖龚"
)

IN_CLAUSE = r"[^，,。；;!！?？\n\x00]"


def _any(words: str) -> str:
    """``"甲 乙 丙?丁"`` -> ``(?:[甲乙](?:(?<=甲)|(?<=乙))|丙?丁)``; each word may be a pattern of its own.

    Words that begin with a plain character stand behind one class of all first characters: the regex engine passes over
    positions where none of them begins without trying word after word. Where all are such, the class opens the expression.
    """
    plain: dict[str, list[str]] = {}
    others: list[str] = []
    for word in words.split():
        if word[0] in "([\\^$." or word[1:2] in ("?", "*", "{"):
            others.append(word)
        else:
            plain.setdefault(word[0], []).append(word[1:])
    rests = "|".join(f"(?<={first})(?:{'|'.join(rest)})" for first, rest in plain.items())
    opened = f"[{''.join(plain)}](?:{rests})" if plain else ""
    return f"(?:{'|'.join([opened, *others] if opened else others)})" if others else opened


def _maybe(words: str) -> str:
    """One of the words, or none."""
    return f"(?:{_any(words)})?"


# --- behind the name ------------------------------------------------------------------------------------------------

AFTER_ROAD = re.compile(
    r"(?:新|老)?(?:[东西南北中]{0,2}|[一二三四五六七八九](?!一|道[街巷]|马路|(?<=一)路[找走追跟到来跑])|第[一二三])"
    r"(?:大?路(?![边上过旁人遇])|街(?![头上边坊]|道(?!口))|大街(?!小巷|上)|大道|道(?![具理路德歉谢出])|巷(?!子)|弄|胡同|门(?![口前外诊])|桥(?!头))"
)
AFTER_ORIGIN = (
    _maybe("市 省 县 那边 这边 一带 附近 农村 山区")
    + "的?"
    + _any(
        "口音 籍 户口 户籍 老乡 方言 人(?![民行才流多群工间山]) 话(?![，,。说]) 娃 伢 妹子 小伙(?!伴) 老表 佬 大妈 大叔 大姐"
        " 大嫂 夫妇 夫妻 女人(?!街) 男人 妇女 男子 女子 小孩 孩子 男孩 女孩 来的 过来的 老家 寻亲"
        " 寻子 家长"
        " 父母 爸爸 妈妈 父亲 母亲 家属 被拐 被抢 被偷 失踪 走失 丢失 走丢 拐来"
        rf" [{''.join(sorted(SURNAMES))}](?:先生|女士|小姐|老师|教授|医生|警官|某)"
    )
)
SEEN_OR_SUSPECTED = _any("看 见 发现 遇 碰 出现 现身 乞讨 街头 疑似 怀疑 像 可能 有")
AFTER_MISSING = (
    rf"(?:(?!{SEEN_OR_SUSPECTED}){IN_CLAUSE}){{0,10}}?"
    + _any("走失 走丢 丢失 失踪 失散 被卖 被拐 被抢 被偷 被骗 被人?[抱带骗]走 抱走 不见了 出生 丢了 丢的")
)
PLACE_AT_SCHOOL = rf"{IN_CLAUSE}{{0,8}}(?:门口?|附近|旁边?|对面|校门|外面?|站|路口)"
AFTER_INSTITUTION = (
    "[市省]?"
    + _any(
        rf"[市省县区]?公安(?!门|局?{IN_CLAUSE}{{0,4}}门口)"
        " 交警 民警 日报 晚报 晨报 都市报 商报 青年报 电视台 卫视 新闻 发布 微博 热线"
        " 高法 高院 法院 检察院 公安厅 省委 市委 团委 妇联 广播电台 交通广播 生活频道 民政局 救助站的 市政府 银行 航空 电信"
        " 移动公司 联通 地产 房产 旅游(?:局|委|网|公司|集团|频道|发布|政务|节|团|大巴) 股市 商会 同乡会 户外 车友"
        " 总部 分部 分会 分社 办事处 工作站 协会 基金会 志愿者协会 志愿者联盟 [^，,。]{0,2}队(?![伍列])"
        " 战役 起义 梆子 府志 网(?![吧球])"
        " 警方[^，,。]{0,6}(?:破获|通报|解救|抓获|侦破|捣毁|发布|披露|透露|提醒|辟谣|悬赏|征集|公布|回应|证实|介绍|立案)"
        rf" (?:大学|医科|师范|理工|交通|科技|工业|农业|外国语|财经|职业)(?!{PLACE_AT_SCHOOL})(?!城)"
    )
)
AFTER_GOODS = (
    _any(
        "鸡饭 拉面 火锅 小面 米粉 烧饼 烤鸭 小吃 菜馆 菜(?![市场]) 酒家 酒楼 大酒店 饭店 饭馆 饭庄 面馆 包子 凉皮"
        " 肉夹馍 泡馍 特产 啤酒 土菜 农家菜 私房菜 大盘鸡 沙茶面 小笼包 大米 发廊 白药 同仁堂"
        " 板面 烩面 刀削面 麻辣烫 串串 煎饼 麻花 鱼丸 米线 生煎 馄饨 水饺 饺子 烤羊肉 羊肉串 烤肉 切糕 鸭脖 热干面 臭豆腐"
        " 螺蛳粉 牛肉[面粉] 羊肉[面粉泡] 炒饭 冒菜 酸辣粉 桂花鸭 板鸭 早茶 肠粉 布鞋 糕点 糖葫芦"
        " 地铁[票卡] 公交卡 一卡通 地图 发票 身份证 电话卡 [皮布]鞋 皮[衣草] 丝绸 家纺"
        " [^，,。在穿着]{0,4}(?:球衣|队服|校服|t恤|衬衫|文化衫|帽子)"
        " 香烟 牌照 牌子? 时间 大排档 大牌档 料理 餐厅 宾馆 风味 产的 制造"
    )
)
AFTER_DESTINATION = (
    r"的?(?:[a-z]?\d{1,4}次?)?"
    + _any("火车 列车 动车 高铁 航班 飞机 大巴(?!扎) 班车 客车 机票 车票")
    + "(?![东西南北]?站|上)|(?:方向|方面)"
)
AFTER_GENERAL = (
    _any("这样的? 这种 那样的? 一样的? 似的 之类 等地 等城市 等大城市 等一?些 的?(?:上学|读书|念书|当兵)(?:的时候|时|那)")
    + r"|[\u4e00-\u9fff]{0,4}(?:被称为?|号称|素有)|的?[\u4e00-\u9fff]{0,3}(?:也没|都没|也不如|都不如|也比不上)(?:这|那)"
)
AFTER_FEATURE = re.compile(
    _any(
        "大?广场 公园 大厦 大酒店 酒店 宾馆 商场 商城 百货 影城 影院 大?桥 山 湖 寺 塔 楼 庙 医院 中学 小学 学校 大?市场 花园"
        " 小区 新村"
        " 超市 购物 体育 会展"
    )
)
AFTER_CIVIC = re.compile(_any("百货大楼 百货商[场店] 医院 中学 体育[场馆] 购物中心"))
"""Features that a town calls after itself rather than after another one (延吉百货大楼, 昆山医院)."""
AFTER_VEHICLE = re.compile("[，,]?的?" + _any("火车 列车 动车 高铁 航班 飞机 大巴(?!扎) 班车 客车 车 路上 途中 船"))
AFTER_WORK = re.compile("[^，,。]{0,4}?" + _any("打工 上班 工作 务农 做工 做生意 生活 住"))
AFTER_ERRAND = re.compile(_any("找(?!到) 投奔 打工 上学 读书 念书 看病 治病 求医 上访"))
AFTER_TITLE = re.compile("[^《》\n]{0,8}》")
AFTER_MORE = re.compile("[^，,。]{0,6}?(?:还|更)")
AFTER_ASKED = "(?:市|县|那边|这边|站)?的?(?:吗|么(?!多)|嘛|吧[?？])"
"""``上海的吗？``: the writer asks whether it is there, or for people who are."""
AFTER_NAMESAKE = re.compile(_any("商城 商场 商贸城 批发 商品(?!房) 鞋城 服装城 皮革城") + "|[^，,。]{0,2}店")
"""Shops and malls that are called after the city their goods or owners come from (温州商城, 义乌商品批发)."""
AFTER_SPEECH = re.compile("[^，,。]{0,1}" + _any("话 方言 口音 腔"))
STAFF = "(?:[\u4e00-\u9fff]{0,4}系)?的?[\u4e00-\u9fff]{0,2}" + _any(
    "出版 教授 医生 护士 老师 专家 学者 研究 调查 校友 志愿者 毕业 学生会 社团 课题组 学系"
)
AFTER_STAFF = "[^，,。在到]{0,6}?(?:大学|学院|医院)" + STAFF
STAFF_OF_IT = re.compile(STAFF)
"""Behind a university or hospital: who works or studies there, not where somebody was."""
AFTER_ON_ROAD = re.compile("[路街][边上旁]")
AFTER_UNSURE = re.compile(
    "[^。]{0,4}?(?:来着|还是哪|不对|是[^，,。]{0,8}?(?:最多|最大)的)|[^。]{0,12}?(?:忘了|记不清|不记得|不确定)"
)
AFTER_IS = re.compile(_maybe("市 省 县 那边 一带 附近 农村") + r"的(?:[，,。！!？?;；\s\x00]|$)")
AFTER_WHO = re.compile(rf"{IN_CLAUSE}{{0,4}}?" + _any("见过 看到过 遇到过 认识 知道"))
AFTER_FROM = re.compile(rf"{IN_CLAUSE}{{0,6}}?" + _any("(?<![发传寄])来 到 被 带 拐 过来 逃 流浪 乘 坐"))
AFTER_APPEAL = re.compile(
    _maybe("市 省 地区 那边 本地 当地")
    + "的?"
    + _any("朋友 网友 博友 亲 兄弟 童鞋 同学 同城 小?伙伴 志愿者 义工 好心人 热心人 市民 媒体 警方 警察")
    + "们?"
)
AFTER_PLACE = re.compile(
    "[市县区省]?"
    + _any(
        "城区 市区 街头 街上 街边 路边 老?火车 汽车(?:总|客运)?站 长途 客运 高铁 动车 地铁 轻轨 公交 机场 车站 [东西南北]站"
        " 市中心"
        " 市里 城里 县城 口岸 码头 看到 看见 见到 遇到 遇见 发现 碰到 出现 乞讨 某"
    )
)
AFTER_NAMED = re.compile("[市县区]?" + _any("站 大?广场 公园 商场 商城 医院 学校 天桥 步行街 商业 夜市 菜市场 超市 小区"))
AFTER_STREET = re.compile(
    r"[\u4e00-\u9fff]{0,6}?(?<![的了在请很是有把])"
    + _any("路 街 大道 广场 步行街 公园 商城 市场 商场 超市 医院 天桥 车站 大厦 城 楼 店 门口 附近 旁边")
)
AFTER_EDGE = re.compile(r"[，,。；;!！?？\n【\[（(：:|｜\x00、\s]|$")

# --- before the name ------------------------------------------------------------------------------------------------

BEFORE_ORIGIN = re.compile(
    _any(
        "来自 老家(?<![在回]老家)(?:是|在)? 家(?<![大国专商店酒人厂]家)(?:是|在|住) 籍贯(?:是|为)? 祖籍 户口(?:在|是)? 原籍"
        " 出生(?:于|在)"
        " 归属地 属地 ip 身份证(?:上|地址)* 快递单? 发件地 寄件地 区号"
        " 自称是? 说(?:自己|他|她)?(?:是|来自) 口音(?:像|是) 像(?<!好像)是?(?!在) 被拐自 是不是 家乡"
    )
    + rf"{IN_CLAUSE}{{0,3}}$"
)
BEFORE_FAMILY = re.compile(
    _any("父母 爸妈 家长 爸爸 妈妈 父亲 母亲 爷爷 奶奶 家人 表[姐哥妹弟] 亲戚") + "(?:都|也|现在|目前|一直|常年){0,2}在$"
)
BEFORE_SPEECH = re.compile(_any("一口 讲(?:着|的是)? 说(?:着|的是)? 操(?:着|的是)?") + "(?:地道|标准|流利)?的?$")
BEFORE_GO = re.compile("[去往到回飞赴来至]$")
BEFORE_GO_THERE = re.compile("[去往赴回]$")
BEFORE_TITLE = re.compile("[《][^》\n]{0,8}$")
BEFORE_THAN = re.compile("[比]$")
BEFORE_FUTURE = re.compile(
    _any("明天 明早 明晚 明儿 后天 下周 下星期 下个?月 即将 将[去到在于] 计划 打算 准备") + rf"{IN_CLAUSE}{{0,10}}$"
)
BEFORE_WRITTEN = re.compile(_any("写[着有的] 印[着有的] 绣[着有的] 刻[着有的] 标[着有的] 贴着 字样") + "[“\"‘「『《]?$")
BEFORE_HAVE = re.compile("有(?:没有|人|谁)?在?$")
BEFORE_MISSING = re.compile(_any("走失 走丢 失踪 丢失 被拐 被抢 失散") + "(?:于|在|地点?|地方)?[:：是]*$")
BEFORE_NOT = re.compile(_any("不是 没在 不在") + "$")
BEFORE_IS = re.compile(rf"[是系](?<![点置址标能该像概]是)(?<!关系)(?<!联系){IN_CLAUSE}{{0,4}}$")
BEFORE_SOMEBODY_IS = re.compile(
    _any("孩子? 女孩 男孩 妈妈? 母亲 女人 妇女 老人 老太太? 老头 爸爸? 父亲 大人 男人 家人 他 她")
    + rf"们?(?:可能|应该|好像|都|也)?是{IN_CLAUSE}{{0,4}}$"
)
BEFORE_THANKS = re.compile(_any("感谢 谢谢 多谢 致谢 已联系 联系了") + "$")
BEFORE_WHO = re.compile(r"[谁](?:知道|曾|曾经|最近)?在?$")
BEFORE_FROM = re.compile("[从由自]$")
BEFORE_DESTINATION = re.compile(
    _any(
        "下次再?[去到来] 以后再?[去到来在] 去过 到过 离开 开往 去往 飞往 前往 发往 驶往 送回 送往 寄到 要去 想去 准备去 打算去 回"
        " 嫁[到去]了? 搬[到去]了? 迁到了? 移居 考[到上]了? 车票[是上] 票根是?"
        " 卖[到往给至]了? 贩[到往给至]了? 逃窜?[到往给至]了? 转移[到往给至]了? 拐去 转发到 转给 卖往"
    )
    + "$"
)
BEFORE_SIGHTING = re.compile(
    _any(
        "在 喺 佇 于 位于 到了? 地点[:：是]? 位置[:：是]? 坐标[:：是]? 地址[:：是]? 出现在? 流落 路过 经过 途经 途径 逛"
        " 现身 📍 ◎ @"
    )
    + r"\s?[“\"《（(]?$"
)
BEFORE_EDGE = re.compile(
    r"(?:^|[^\w]|[昨今前][天日晚早晨夜]|刚[刚才]|[那当][天晚日]|期间|假期|节|除夕|初[一二三四五六七八九十]|十[一二三四五六七八九]|[上下中]午|傍晚|晚上|早上|凌晨|[\d一二三四五六七八九十][点号日]|点半|点多)\s*$"
)
BEFORE_PERSON = re.compile(
    _any(
        "[师员手长任友授] 志愿者"
        " 朋友 同事 同学 记者 网友 老师 由 叫 名叫 是 请 联系 联系人 感谢 谢谢 警官 义工 司机 家长 博主 作者 摄影"
        " 姓名[:：]? 和 跟 与 让 给 找 问 听 据"
        r" [，,。；;、\s(（:：\x00] ^"
    )
    + "$"
)
AFTER_PERSON = re.compile(_any(r"先生 女士 老师 同学 小姐 叔叔 阿姨 大哥 大姐 说 拍 警官 \d{5,}"))
HEDGE = re.compile(
    _any(
        "应该 好像 可能 大概 也许 似乎 疑似 怀疑 听说 据说 有人说 网友说 不确定 不知道 不记得 忘了 貌似 估计"
    )
    + rf"{IN_CLAUSE}{{0,6}}$"
)

# --- English --------------------------------------------------------------------------------------------------------

EN_BEFORE_ORIGIN = re.compile(
    r"\b(?:from (?:a|the|some|his|her|their|another) (?:[a-z]+ )?"
    r"(?:village|town|county|city|farm|family|home|place|orphanage) (?:in|near|of)"
    r"|from|born in|native of|accent of|to|about"
    r"|(?:police|court|authorities|charit(?:y|ies)|ngos?|organi[sz]ations?|lawyers?|journalists?|volunteers?) in"
    r"|(?:sold|bought|adopted|arrested|jailed|sentenced)(?: [a-z]+){0,2} in"
    r"|(?:missing|disappeared|abducted|kidnapped|snatched|stolen|trafficked)"
    r"(?: (?!boy|girl|kid|child|baby|seen|saw|spotted|now|begging)[a-z]+){0,3} (?:in|from|near|at)|last seen (?:in|at|near)"
    r"|(?:lost|grew up|live[ds]?|living|based|stud(?:ied|ying)|work(?:s|ed|ing)?) in"
    r"|(?:friends?|relatives?|colleagues?|classmates?) in"
    r"|(?:mom|mum|mommy|mother|dad|father|parents|family|folks|grandma|grandpa|grandparents|brother|sister)(?:'s)?"
    r"(?: (?:is|are|was|were|stays?))?(?: (?:still|now|back))? in)\s$"
)
EN_BEFORE_SIGHTING = re.compile(
    r"(?:\b(?:in|at|near|around|outside|inside|of|on|zai)\s|[,.;:!?]\s|^\s*|[\u4e00-\u9fff，。\x00]\s?)$"
)
EN_HEDGE = re.compile(r"\b(?:maybe|perhaps|probably|possibly|not sure|i think|might be|may be|could be)\b[^.!?]{0,8}$")
EN_AFTER_ROAD = re.compile(
    r"\s(?:(?:east|west|south|north|middle|dong|xi|nan|bei|zhong)\s)?"
    r"(?:road|rd|street|st|avenue|ave|lu|jie|dajie|dadao|lane|square|park|hotel|restaurant|bridge)\b"
)
EN_AFTER_OTHER = re.compile(
    r"\s(?:accent|kid|boy|girl|child|woman|man|people(?!'s)|dialect|police|government|courts?|authorities|officials|embassy|consulate|times?|news|express|duck|noodles?|fried|rice|hotpot|beer|dumplings?|daily|airlines|native"
    r"|(?:(?!(?:in|with|and|a|an|the|wearing|wore|near|at|on|by|his|her|their|no|old|dirty|torn)\b)[a-z]+ )?"
    r"(?:jersey|t-?shirt|shirt|hoodie|sweater|sweatshirt|jacket|cap|uniform|logo|scarf|backpack)s?\b"
    r"|university(?!.{0,8}(?:gate|campus|station)))\b|[-\s]born\b"
)
